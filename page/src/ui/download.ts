/** A file that the page has is handed to the browser, as one that was downloaded. */
export function handOver(name: string, file: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(file)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000) // the browser may still be asking where to put it
}
