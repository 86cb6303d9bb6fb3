import { differenceTable, figureTable, type Report, ratioTable, remarks } from './report.ts'
import type { Scenario } from './scenarios.ts'

const protocols = { http: 'HTTP/1.1', https: 'HTTP/1.1 on TLS 1.3', h2: 'HTTP/2 on TLS 1.3' } as const

/** The page of a scenario for docs/benchmarks; its chart is NAME.svg beside it. */
export function markdown(report: Report): string {
  const { scenario, rounds, secondsPerRound, machine, peers } = report
  const ratio = ratioTable(report)
  const versions = peers.map(({ name, version }) => `${name} ${version}`).join(', ')
  const load = scenario.protocol === 'h2' ? `h2load ${machine.h2load}` : `wrk ${machine.wrk}`
  return `${[
    `# ${scenario.name}: ${scenario.title}`,
    `Made by \`npm run bench -- --scenario ${scenario.name} --write\`: ${howMeasured(scenario, rounds, secondsPerRound)}
All proxies do the same work: connections kept to the upstream, a request id, X-Forwarded-For, a rate limit an
address (rejecting nothing) and an access log in JSON; what one does without is said below. One worker each. CPU
time is user and system time of all threads, memory the resident set, both from /proc.`,
    `![Chart of the figures below](${scenario.name}.svg)`,
    asMarkdown(figureTable(report)),
    ...(scenario.apiKey ? [asMarkdown(differenceTable(report))] : []),
    ...(ratio.rows.length > 0 && !scenario.apiKey
      ? [
          `As multiples of ${report.base} in the same round, median (min–max) of the rounds:`,
          asMarkdown(ratio),
        ]
      : []),
    remarks(report)
      .map((remark) => `- ${remark}`)
      .join('\n'),
    `${versions}; ${scenario.use === 'idle' ? '' : `${load}; `}${machine.cpu}; ${machine.kernel}.`,
  ]
    .filter(Boolean)
    .join('\n\n')}\n`
}

function howMeasured(scenario: Scenario, rounds: number, seconds: number): string {
  const { connections, streams } = scenario
  if (scenario.use === 'idle') {
    return `${rounds} rounds, each with a new
process that was warmed up, on one core. ${connections} connections over ${protocols[scenario.protocol]} from ten addresses, each with one
request answered and then kept: memory before and after.`
  }
  const each = streams > 1 ? `, ${streams} requests at once on each` : ''
  return `${rounds} rounds of ${seconds} s for each, in turn, on the same
core in the same run; the load and the upstream on another core. ${connections} connections at once${each}, ${protocols[scenario.protocol]}${
    scenario.use === 'one-request' ? ';\nlatency is counted from when a connection is open' : ''
  }.`
}

const asMarkdown = ({ head, rows }: { head: readonly string[]; rows: readonly (readonly string[])[] }) => {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
