import { dim, green, red } from '../terminal/style.ts'
import { table } from '../terminal/table.ts'
import type { MemoryVerdict } from './memory.ts'
import type { Tally } from './tally.ts'

/** What came of a run. Times are milliseconds, sizes bytes. */
export interface SoakReport {
  readonly seed: number
  readonly duration: number
  readonly connections: number
  readonly requests: Tally['requests']
  readonly requestsPerSecond: number
  /** Ends of requests: status and code of a problem, or what came in place of an answer. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly aborts: Tally['aborts']
  readonly uploads: Tally['uploads']
  readonly downloads: Tally['downloads']
  readonly clientConnections: number
  readonly reloads: Tally['reloads']
  /** How often an upstream fell ill. */
  readonly faults: number
  readonly memory: MemoryVerdict
  readonly failureCount: number
  /** The first of them, in words. */
  readonly failures: readonly string[]
  /** Where the logs of the gateway are, if something failed. */
  readonly logDirectory?: string
}

/** `faults`: how often an upstream fell ill. */
export function reportOf(run: {
  readonly seed: number
  readonly duration: number
  readonly connections: number
  readonly faults: number
  readonly tally: Tally
  readonly memory: MemoryVerdict
}): SoakReport {
  const { seed, duration, connections, faults, tally, memory } = run
  const sorted = [...tally.outcomes].sort(([, one], [, other]) => other - one)
  return {
    seed,
    duration,
    connections,
    requests: tally.requests,
    requestsPerSecond: Math.round(tally.total / (duration / 1_000)),
    outcomes: Object.fromEntries(sorted),
    aborts: tally.aborts,
    uploads: tally.uploads,
    downloads: tally.downloads,
    clientConnections: tally.connections.opened,
    reloads: tally.reloads,
    faults,
    memory,
    failureCount: tally.failureCount,
    failures: tally.failures,
  }
}

const number = new Intl.NumberFormat('en')
const count = (value: number): string => number.format(value)
const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`
const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, value) => total + value, 0)

/** For people: what was done, how it ended, and what is wrong. Ends with a newline. */
export function reportText(report: SoakReport): string {
  const sections = [
    table(['load', ''], loadRows(report)),
    table(
      ['requests ended with', ''],
      Object.entries(report.outcomes).map(([outcome, times]) => [outcome, count(times)]),
    ),
    verdict(report),
  ]
  return `\n${sections.join('\n\n')}\n`
}

function loadRows(report: SoakReport): string[][] {
  const { requests, aborts, uploads, downloads, reloads, memory } = report
  return [
    ['length', `${report.duration / 1_000} s, seed ${report.seed}`],
    ['requests', `${count(sum(requests))}, ${count(report.requestsPerSecond)} a second`],
    ...Object.entries(requests).map(([protocol, times]) => [`  by ${protocol}`, count(times)]),
    ['connections', `${count(report.clientConnections)}, ${report.connections} at a time`],
    ['uploads', `${count(uploads.count)}, ${megabytes(uploads.bytes)}`],
    ['downloads', `${count(downloads.count)}, ${megabytes(downloads.bytes)}`],
    [
      'given up',
      `${count(sum(aborts))}: in the head ${count(aborts.head)}, in the body ${count(aborts.body)}, ` +
        `waiting ${count(aborts.wait)}, in the answer ${count(aborts.answer)}`,
    ],
    ['upstreams fell ill', `${count(report.faults)} times`],
    ['reloads', `${count(reloads.count)}, in force within ${Math.round(reloads.longest)} ms`],
    ['live memory', memoryText(memory)],
    ['resident memory', `${megabytes(memory.resident.first)}, then ${megabytes(memory.resident.last)}`],
  ]
}

function memoryText({ first, last, highest, isJudged }: MemoryVerdict): string {
  const growth = first === 0 ? 0 : (last / first - 1) * 100
  const change = `${growth < 0 ? '' : '+'}${growth.toFixed(1)} %`
  const figures = `${megabytes(first)} in the first third, ${megabytes(last)} in the last (${change}), at most ${megabytes(highest)}`
  return isJudged ? figures : `${figures}; ${dim('too short a run to judge')}`
}

function verdict(report: SoakReport): string {
  const { failures, failureCount, logDirectory, seed, duration, connections } = report
  if (failureCount === 0) return `${green('✓')} every answer was right, and every failure explained`
  const more = failureCount - failures.length
  return [
    `${red('✗')} ${count(failureCount)} failures`,
    ...failures.map((failure) => `  ${failure}`),
    ...(more > 0 ? [`  and ${count(more)} more`] : []),
    '',
    `  Logs of the gateway: ${logDirectory}`,
    `  To do the same again: npm run soak -- --seed ${seed} --duration ${duration / 1_000}s --connections ${connections}`,
  ].join('\n')
}
