/** Pieces of an SVG picture: plain shapes and text, no script, no outside font. */

export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export type Tone = 'outside' | 'vpc' | 'public' | 'private' | 'data' | 'part' | 'service'

/** Fill and line of each tone; texts on them have a contrast of 7 and more. */
const tones: Readonly<Record<Tone, readonly [fill: string, line: string]>> = {
  outside: ['#ffffff', '#5b6472'],
  vpc: ['#f7f9fb', '#5b6472'],
  public: ['#eaf5ea', '#5f9161'],
  private: ['#e8f1fa', '#4d7ea8'],
  data: ['#f5edf8', '#8a5fa3'],
  part: ['#ffffff', '#24303e'],
  service: ['#fff8e8', '#a8834d'],
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escapeText = (text: string) => text.replace(/[&<>"]/g, (character) => escapes[character]!)

/** Text from a point on; a line an entry, the first one bold where `title` is set. */
export function text(
  x: number,
  y: number,
  lines: readonly string[],
  options: { title?: boolean; middle?: boolean } = {},
) {
  const anchor = options.middle ? ' text-anchor="middle"' : ''
  return lines
    .map((line, index) => {
      const weight = options.title && index === 0 ? ' font-weight="600"' : ''
      return `<text x="${x}" y="${y + index * 16}"${anchor}${weight}>${escapeText(line)}</text>`
    })
    .join('')
}

/** A box with a title and lines in its upper left corner. */
export function box(
  { x, y, width, height }: Box,
  tone: Tone,
  lines: readonly string[],
  isDashed = false,
): string {
  const [fill, line] = tones[tone]
  const dash = isDashed ? ' stroke-dasharray="5 4"' : ''
  return (
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6" fill="${fill}" stroke="${line}"${dash}/>` +
    text(x + 10, y + 20, lines, { title: true })
  )
}

/** An arrow with what it says beside its beginning. */
export function arrow(from: readonly [number, number], to: readonly [number, number], label: string): string {
  const [x1, y1] = from
  const [x2, y2] = to
  const words = text(x1 + 8, y1 + 18, [label])
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#24303e" stroke-width="1.5" marker-end="url(#head)"/>${words}`
}

/** A whole picture. */
export function picture(width: number, height: number, title: string, content: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="#16202c" role="img" aria-label="${escapeText(title)}">
<title>${escapeText(title)}</title>
<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z" fill="#24303e"/></marker></defs>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${content.join('\n')}
</svg>
`
}
