import { z } from 'zod'
import { definePlugin, type Exchange, type Outcome } from '../contract.ts'
import { type Series, SeriesTable } from './consumer-series.ts'

const handOverInterval = 1_000

const config = z.strictObject({
  code: z.enum(['class', 'exact']).default('class').describe('Statuses as 2xx, or as 204.'),
  buckets: z
    .array(z.number().positive())
    .max(32)
    .refine((bounds) => bounds.every((bound, index) => index === 0 || bound > bounds[index - 1]!), {
      message: 'expected growing numbers',
    })
    .default([])
    .describe('Bounds of a histogram of durations, in seconds; none: there is no histogram.'),
  max_series: z
    .int()
    .min(1)
    .max(100_000)
    .default(1_000)
    .describe('Combinations of labels at most; what is more is counted for the consumer `other`.'),
})
type Config = z.output<typeof config>

/**
 * Counts by consumer. Metrics of the node and of routes are there without it: this one is for what may have many
 * values, and therefore has a bound.
 */
export const prometheus = definePlugin({
  name: 'prometheus',
  order: 13,
  description: 'Adds metrics of each consumer to those that the node shows anyway, within a bound.',
  config,
  examples: [{ code: 'exact', buckets: [0.01, 0.1, 1, 10] }],
  create(settings, gateway) {
    const table = newTable(settings)
    let isDue = false
    const handOver = () => {
      isDue = false
      const counted = table.take()
      gateway.call(counted).catch(() => counted.forEach((series) => void table.add(series)))
    }
    return {
      onEnd(exchange, outcome) {
        count(table, settings, exchange, outcome)
        if (isDue) return
        isDue = true
        setTimeout(handOver, handOverInterval).unref()
      },
    }
  },
  serve(settings) {
    const table = newTable(settings)
    return {
      onCall(counted) {
        for (const series of counted as readonly Series[]) table.add(series)
      },
      metrics: () => table.metrics(settings.buckets),
      stop() {},
    }
  },
})

const newTable = ({ max_series, buckets }: Config) => new SeriesTable(max_series, buckets.length)

function count(table: SeriesTable, { code, buckets }: Config, exchange: Exchange, outcome: Outcome): void {
  const { status, requestBytes, responseBytes, duration } = outcome
  const series = table.of({
    route: exchange.routeName ?? '',
    service: exchange.serviceName ?? '',
    consumer: exchange.consumer?.name ?? '',
    code: code === 'exact' ? String(status) : `${Math.floor(status / 100)}xx`,
  })
  series.requests++
  series.requestBytes += requestBytes
  series.responseBytes += responseBytes
  series.durationSum += duration / 1_000
  if (buckets.length === 0) return
  const bucket = buckets.findIndex((bound) => duration / 1_000 <= bound)
  series.buckets[bucket < 0 ? buckets.length : bucket]!++
}
