import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { loadConfiguration } from '../config/index.ts'
import { CliError } from './cli-error.ts'
import { addGlobalOptions, settingsOf } from './settings.ts'
import { table } from './table.ts'

/** Counters of a route, as one scrape has them. */
interface RouteCounters {
  requests: number
  errors: number
  /** Upper bound in seconds → requests that took no longer. */
  readonly buckets: Map<number, number>
}

export interface RouteRates {
  readonly route: string
  readonly requests_per_second: number
  /** Percent that were answered with 5xx. */
  readonly error_percent: number
  /** Seconds; null where there was no request. */
  readonly p50: number | null
  readonly p99: number | null
}

const sample = /^gatehouse_route_(requests_total|request_duration_seconds_bucket)\{(.*)\} (\S+)$/gm

/** The counters of routes in the metrics of a gateway. */
export function readCounters(text: string): Map<string, RouteCounters> {
  const routes = new Map<string, RouteCounters>()
  for (const [, kind, labels = '', value] of text.matchAll(sample)) {
    const label = (name: string) => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? ''
    const route = label('route')
    const counters = routes.get(route) ?? { requests: 0, errors: 0, buckets: new Map() }
    routes.set(route, counters)
    if (kind === 'requests_total') {
      counters.requests += Number(value)
      if (label('code') === '5xx') counters.errors += Number(value)
    } else {
      const bound = label('le') === '+Inf' ? Number.POSITIVE_INFINITY : Number(label('le'))
      counters.buckets.set(bound, (counters.buckets.get(bound) ?? 0) + Number(value))
    }
  }
  return routes
}

/** What happened between two scrapes, the busiest route first. */
export function ratesBetween(
  before: ReadonlyMap<string, RouteCounters>,
  after: ReadonlyMap<string, RouteCounters>,
  seconds: number,
): RouteRates[] {
  const rates = [...after].map(([route, now]) => {
    const then = before.get(route)
    const requests = now.requests - (then?.requests ?? 0)
    const errors = now.errors - (then?.errors ?? 0)
    const buckets = [...now.buckets]
      .map(([bound, count]) => [bound, count - (then?.buckets.get(bound) ?? 0)] as const)
      .sort(([a], [b]) => a - b)
    return {
      route,
      requests_per_second: requests / seconds,
      error_percent: requests === 0 ? 0 : (errors / requests) * 100,
      p50: quantile(buckets, 0.5),
      p99: quantile(buckets, 0.99),
    }
  })
  return rates.sort((a, b) => b.requests_per_second - a.requests_per_second)
}

/** Within its bucket, requests are taken to be spread evenly, as Prometheus does. */
function quantile(
  buckets: readonly (readonly [bound: number, count: number])[],
  part: number,
): number | null {
  const total = buckets.at(-1)?.[1] ?? 0
  if (total === 0) return null
  const rank = part * total
  const index = buckets.findIndex(([, count]) => count >= rank)
  const [bound, count] = buckets[index]!
  const [lower, below] = index === 0 ? [0, 0] : buckets[index - 1]!
  if (bound === Number.POSITIVE_INFINITY) return lower
  return lower + ((bound - lower) * (rank - below)) / (count - below)
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value >= 0.1 && value <= 3_600)) throw new InvalidArgumentError('expected a number from 0.1 to 3600')
  return value
}

/** `top`: a live table of routes; where the output is no terminal, a table each time. */
export function addTopCommand(program: Command): void {
  const top = program
    .command('top')
    .description('show what routes do now: requests, errors, 50 and 99 percent of durations')
    .option('--interval <seconds>', 'time between two tables', positive, 2)
    .option('--count <number>', 'how many tables; without it, until Ctrl-C', positive)
  addGlobalOptions(top).action(async () => {
    const { configFolder, json } = settingsOf(top)
    const { interval, count = Number.POSITIVE_INFINITY } = top.opts<{ interval: number; count?: number }>()
    const { host, port } = loadConfiguration(configFolder).configuration.status
    const url = `http://${host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host}:${port}/metrics`
    let before = await scrape(url)
    for (let shown = 0; shown < count; shown++) {
      await sleep(interval * 1_000)
      const after = await scrape(url)
      const rates = ratesBetween(before.counters, after.counters, (after.at - before.at) / 1_000)
      process.stdout.write(json ? `${JSON.stringify(rates)}\n` : screen(rates))
      before = after
    }
  })
}

async function scrape(
  url: string,
): Promise<{ readonly at: number; readonly counters: Map<string, RouteCounters> }> {
  const text = await fetch(url, { signal: AbortSignal.timeout(5_000) })
    .then((answer) => answer.text())
    .catch(() => {
      throw new CliError(`no metrics at ${url}: start gateway-service, or say which with --config DIR`)
    })
  return { at: performance.now(), counters: readCounters(text) }
}

function screen(rates: readonly RouteRates[]): string {
  const { isTTY, rows = 24 } = process.stdout
  const shown = isTTY ? rates.slice(0, Math.max(rows - 3, 1)) : rates
  const milliseconds = (seconds: number | null) =>
    seconds === null ? '-' : `${(seconds * 1_000).toFixed(1)} ms`
  const lines = shown.map(({ route, requests_per_second, error_percent, p50, p99 }) => [
    route,
    requests_per_second.toFixed(1),
    `${error_percent.toFixed(1)} %`,
    milliseconds(p50),
    milliseconds(p99),
  ])
  const text = table(['ROUTE', 'REQUESTS/S', '5XX', '50 %', '99 %'], lines)
  return isTTY ? `\x1b[H\x1b[2J${text}\n` : `${text}\n\n`
}
