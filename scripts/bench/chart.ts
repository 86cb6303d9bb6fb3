import { figuresOf, type Report } from './report.ts'

const width = 720
const left = 170
const right = 90
const bar = 18
const line = 26
const titleHeight = 40

const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .bar { fill: #8c959f }
  .own { fill: #0969da }
  .spread { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .bar { fill: #656d76 }
    .own { fill: #4493f8 }
    .spread { stroke: #e6edf3 }
  }`

/** An SVG with a group of bars a figure and a bar a peer: its median, with a line from lowest to highest. */
export function chart(report: Report): string {
  const groups = figuresOf(report)
  const groupHeight = titleHeight + report.peers.length * line
  const content = groups.map(({ figure, title, format }, index) => {
    const top = index * groupHeight
    const values = report.peers.map((peer) => peer.figures[figure]!)
    const highest = Math.max(...values.map(({ max }) => max), Number.MIN_VALUE)
    const x = (value: number) => round(left + (Math.max(0, value) / highest) * (width - left - right))
    const bars = report.peers.flatMap(({ name }, row) => {
      const { median, min, max } = values[row]!
      const y = top + titleHeight + row * line
      const middle = y + bar / 2
      return [
        `<text x="${left - 10}" y="${y + 14}" text-anchor="end">${escapeXml(name)}</text>`,
        `<rect class="bar${name === 'gateway' ? ' own' : ''}" x="${left}" y="${y}" width="${round(x(median) - left)}" height="${bar}"/>`,
        `<line class="spread" x1="${x(min)}" y1="${middle}" x2="${x(max)}" y2="${middle}"/>`,
        `<text x="${round(x(max) + 8)}" y="${y + 14}">${escapeXml(format(median))}</text>`,
      ]
    })
    return [`<text class="title" x="${left}" y="${top + 26}">${escapeXml(title)}</text>`, ...bars].join('\n')
  })
  const height = groups.length * groupHeight + 16
  const label = `${report.scenario.name}: ${report.scenario.title}`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escapeXml(label)}</title>
<style>${style}
</style>
${content.join('\n')}
</svg>
`
}

const round = (value: number) => Math.round(value * 10) / 10

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escapeXml = (text: string) => text.replace(/[&<>"]/g, (character) => entities[character]!)
