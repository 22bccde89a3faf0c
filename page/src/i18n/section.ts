/** Both languages of a section, with the same keys. */
export function section<K extends string>(texts: { zh: Record<K, string>; en: Record<K, string> }) {
  return texts
}

/** Of files of sections, `./name.ts`, of which one language is left: its texts by the section's name. */
export function gather(files: Record<string, unknown>): Record<string, Record<string, string>> {
  return Object.fromEntries(
    Object.values(files).flatMap((file) => Object.entries(file as Record<string, Record<string, string>>)),
  )
}
