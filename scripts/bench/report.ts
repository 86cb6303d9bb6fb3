import { cpus, release } from 'node:os'
import type { Figure, Sample } from './measure.ts'
import type { Peer } from './peer.ts'
import type { Scenario } from './scenarios.ts'
import { type Spread, spread } from './statistics.ts'
import { type Tools, versionOf } from './tools.ts'

/** All that a run of a scenario found out; this is what `--json` prints. */
export interface Report {
  readonly scenario: Scenario
  readonly machine: Record<'cpu' | 'kernel' | 'wrk', string> & { readonly h2load?: string }
  readonly rounds: number
  readonly secondsPerRound: number
  /** Name of the peer that the others are compared with. */
  readonly base: string
  readonly peers: readonly PeerReport[]
  /** Peers that cannot be had here or cannot do the scenario. */
  readonly unable: readonly LeftOut[]
  /** Peers that did not start, or gave errors. */
  readonly failed: readonly LeftOut[]
}

interface LeftOut {
  readonly name: string
  readonly reason: string
}

export interface PeerReport {
  readonly name: string
  readonly version: string
  /** What the others do and it does not. */
  readonly leavesOut: readonly string[]
  readonly figures: Figures
  /** Figures as multiples of those of the base in the same round; not there for the base, and without it. */
  readonly toBase?: Figures
  /** Microseconds of CPU a request more than the base takes, in the same round. */
  readonly moreThanBase?: Spread
}

type Figures = Readonly<Partial<Record<Figure, Spread>>>

interface ReportSource extends Omit<Report, 'peers'> {
  readonly tools: Tools
  readonly peers: readonly Peer[]
  readonly samples: ReadonlyMap<Peer, readonly Sample[]>
}

/** Medians and spreads of the rounds, and of the ratios within each round. */
export async function reportOf({ tools, peers, samples, ...rest }: ReportSource): Promise<Report> {
  const basePeer = peers.find(({ name }) => name === rest.base)
  const baseSamples = basePeer && samples.get(basePeer)
  return {
    ...rest,
    peers: await Promise.all(
      peers.map(async (peer) => {
        const own = samples.get(peer)!
        return {
          name: peer.name,
          version: await peer.version(tools),
          leavesOut: peer.leavesOut,
          figures: summarize(own),
          ...(baseSamples && peer !== basePeer && comparison(own, baseSamples)),
        }
      }),
    ),
  }
}

function comparison(own: readonly Sample[], base: readonly Sample[]) {
  const more = own.map(({ cpuPerRequest = 0 }, round) => cpuPerRequest - (base[round]!.cpuPerRequest ?? 0))
  return { toBase: summarize(ratios(own, base)), moreThanBase: spread(more) }
}

const summarize = (samples: readonly Sample[]): Figures =>
  Object.fromEntries(
    (Object.keys(samples[0]!) as Figure[]).map((figure) => [
      figure,
      spread(samples.map((sample) => sample[figure]!)),
    ]),
  )

/** Each sample of one peer as multiples of the sample of another in the same round. */
export const ratios = (samples: readonly Sample[], others: readonly Sample[]): Sample[] =>
  samples.map((sample, round) =>
    Object.fromEntries(
      (Object.keys(sample) as Figure[]).map((figure) => [figure, sample[figure]! / others[round]![figure]!]),
    ),
  )

/** What is known of the machine and the tools that load it. */
export const describeMachine = async (tools: Tools): Promise<Report['machine']> => ({
  cpu: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
  kernel: `${process.platform} ${release()}`,
  wrk: (await versionOf(tools.wrk, '-v')).replace(/^wrk (\S+).*$/, '$1'),
  ...(tools.h2load && { h2load: (await versionOf(tools.h2load, '--version')).replace(/^h2load /, '') }),
})

/** How figures are shown to people, in the order of the tables. */
export const shownFigures: readonly {
  readonly figure: Figure
  readonly title: string
  readonly format: (value: number) => string
}[] = [
  { figure: 'cpuPerRequest', title: 'CPU per request, µs', format: (value) => value.toFixed(1) },
  { figure: 'requestsPerSecond', title: 'requests per second', format: (value) => value.toFixed(0) },
  { figure: 'p50', title: 'latency p50, ms', format: (value) => (value / 1_000).toFixed(2) },
  { figure: 'p99', title: 'latency p99, ms', format: (value) => (value / 1_000).toFixed(2) },
  {
    figure: 'memoryPerConnection',
    title: 'memory per connection, KiB',
    format: (value) => (value / 1_024).toFixed(1),
  },
  { figure: 'memory', title: 'memory, MiB', format: (value) => (value / 1_048_576).toFixed(0) },
]

/** The figures that a report has. */
export const figuresOf = ({ peers }: Report) =>
  shownFigures.filter(({ figure }) => peers.some(({ figures }) => figures[figure]))

interface Table {
  readonly head: string[]
  readonly rows: string[][]
}

const shown = ({ median, min, max }: Spread, format: (value: number) => string) =>
  `${format(median)} (${format(min)}–${format(max)})`

/** A row a peer, a column a figure: median (lowest–highest) of the rounds. */
export function figureTable(report: Report): Table {
  const figures = figuresOf(report)
  return {
    head: ['median (min–max)', ...figures.map(({ title }) => title)],
    rows: report.peers.map((peer) => [
      peer.name,
      ...figures.map(({ figure, format }) => shown(peer.figures[figure]!, format)),
    ]),
  }
}

/** The same as multiples of the base in the same round; without rows when the base has no figures. */
export function ratioTable(report: Report): Table {
  const figures = figuresOf(report)
  return {
    head: [`÷ ${report.base}`, ...figures.map(({ title }) => title.replace(/,.*$/, ''))],
    rows: report.peers.flatMap(({ name, toBase }) =>
      toBase
        ? [[name, ...figures.map(({ figure }) => shown(toBase[figure]!, (value) => value.toFixed(2)))]]
        : [],
    ),
  }
}

/** What each peer costs more than the base. */
export const differenceTable = (report: Report): Table => ({
  head: ['median (min–max)', 'CPU per request, µs', `more than ${report.base}, µs`],
  rows: report.peers.map(({ name, figures, moreThanBase }) => [
    name,
    shown(figures.cpuPerRequest!, (value) => value.toFixed(1)),
    moreThanBase ? shown(moreThanBase, (value) => value.toFixed(1)) : '',
  ]),
})

/** Sentences on what is not compared: work that a peer leaves out, and peers that are not there. */
export const remarks = ({ peers, unable, failed }: Report): string[] => [
  ...peers.flatMap(({ name, leavesOut }) =>
    leavesOut.length > 0 ? [`${name} works without: ${leavesOut.join(', ')}.`] : [],
  ),
  ...unable.map(({ name, reason }) => `${name} is left out: ${reason}.`),
  ...failed.map(({ name, reason }) => `${name} failed: ${reason}.`),
]
