/** Both languages of a section, with the same keys. */
export function section<K extends string>(texts: { zh: Record<K, string>; en: Record<K, string> }) {
  return texts
}
