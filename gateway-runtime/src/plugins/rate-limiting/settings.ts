import { z } from 'zod'
import { keyProblems, keySettings } from './limited-key.ts'

const periods = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const
const shortestShared = 100

const period = z
  .union([
    z.enum(['second', 'minute', 'hour', 'day']),
    z.strictObject({ seconds: z.int().min(1).max(31_536_000) }),
  ])
  .describe('second, minute, hour or day, or as many seconds as are said: `{seconds: 10}`.')

const limit = z.int().min(1).max(1_000_000_000)
const burst = z
  .int()
  .min(1)
  .optional()
  .describe(
    'At most so many at once: the limit is let through in parts of this size, each in its part of the period.',
  )

const windowSchema = z.strictObject({ limit, period, burst })

/** A limit as it is counted. */
export interface NamedWindow {
  /** In the RateLimit fields. */
  readonly name: string
  readonly limit: number
  /** Milliseconds. */
  readonly period: number
}

export const settingsSchema = z
  .strictObject({
    limit: limit.optional().describe('Requests that pass in one period.'),
    period: period.optional(),
    burst,
    windows: z
      .array(windowSchema)
      .max(6)
      .default([])
      .describe('More limits, beside or in place of limit and period; a request passes where all let it.'),
    ...keySettings,
    sync: z
      .enum(['node', 'cluster'])
      .default('node')
      .describe(
        'node: each node counts for itself, in any span of a period. cluster: all nodes count together through Redis, in periods that begin at whole multiples of it since 1970, by the clock of Redis.',
      ),
    on_failure: z
      .enum(['share', 'open', 'closed'])
      .default('share')
      .describe(
        'With sync: cluster, while Redis does not answer. share: each node lets its share of the limit pass. open: all pass. closed: none but those that the node had leave for.',
      ),
    memory: z
      .int()
      .min(65_536)
      .max(1_073_741_824)
      .default(16_777_216)
      .describe(
        'Bytes for the counts of one node: at 16 MiB some 31,000 clients, or 130,000 with sync: cluster; fewer with more windows.',
      ),
  })
  .superRefine((settings, context) => {
    const problem = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message })
    const { limit, period, windows } = settings
    if ((limit === undefined) !== (period === undefined)) problem(['limit'], 'limit and period go together')
    else if (limit === undefined && windows.length === 0) problem([], 'expected limit and period, or windows')
    for (const [name, message] of keyProblems(settings)) problem([name], message)
    for (const written of writtenWindows(settings)) {
      if (written.burst === undefined) continue
      const span = burstPeriod(written, written.burst)
      if (written.burst > written.limit) problem(['burst'], 'expected no more than limit')
      else if (settings.sync === 'cluster' && span < shortestShared)
        problem(
          ['burst'],
          `its part of the period is ${span} ms; over a cluster at least ${shortestShared} ms`,
        )
    }
  })

export type RateLimitSettings = z.output<typeof settingsSchema>
type WrittenWindow = z.output<typeof windowSchema>

function writtenWindows({ limit, period, burst, windows }: RateLimitSettings): WrittenWindow[] {
  return limit === undefined || period === undefined ? windows : [{ limit, period, burst }, ...windows]
}

const lengthOf = (period: WrittenWindow['period']) =>
  typeof period === 'string' ? periods[period] : period.seconds * 1_000

/** Rounded up to whole milliseconds: never more than the limit. */
const burstPeriod = ({ limit, period }: WrittenWindow, burst: number) =>
  Math.ceil((lengthOf(period) * burst) / limit)

/** The windows of a configuration, the shortest first: one with a burst counts as two. */
export function windowsOf(settings: RateLimitSettings): NamedWindow[] {
  const written = writtenWindows(settings)
  const windows = written.flatMap((window): NamedWindow[] => {
    const name = written.length === 1 ? 'default' : nameOf(window.period)
    const whole = { name, limit: window.limit, period: lengthOf(window.period) }
    if (window.burst === undefined) return [whole]
    return [{ name: `${name}-burst`, limit: window.burst, period: burstPeriod(window, window.burst) }, whole]
  })
  return windows.sort((a, b) => a.period - b.period)
}

const nameOf = (period: WrittenWindow['period']) =>
  typeof period === 'string' ? period : `${period.seconds}s`
