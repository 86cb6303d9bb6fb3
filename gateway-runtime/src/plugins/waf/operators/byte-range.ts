/** Reads `32-126,9,10`; the function tells whether a text has only such bytes. Throws an Error for anything else. */
export function byteRange(argument: string): (text: string) => boolean {
  const allowed = new Uint8Array(256)
  for (const part of argument.split(',').map((text) => text.trim())) {
    const [, from, to] = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(part) ?? []
    const last = Number(to ?? from)
    if (from === undefined || last > 255) throw new Error(`${part} is no range of bytes`)
    allowed.fill(1, Number(from), last + 1)
  }
  return (text) => {
    for (let i = 0; i < text.length; i++) if (allowed[text.charCodeAt(i) & 0xff] === 0) return false
    return true
  }
}
