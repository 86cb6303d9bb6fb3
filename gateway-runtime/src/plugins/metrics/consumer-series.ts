import type { PluginMetric } from '../contract.ts'

export interface SeriesLabels {
  readonly route: string
  readonly service: string
  readonly consumer: string
  /** `2xx`, or `204`. */
  readonly code: string
}

/** What was counted for some labels. */
export interface Series {
  readonly labels: SeriesLabels
  requests: number
  requestBytes: number
  responseBytes: number
  /** In seconds. */
  durationSum: number
  /** A count for each bucket, and one for what is longer than all; empty where durations are not asked for. */
  readonly buckets: number[]
}

const keyOf = ({ route, service, consumer, code }: SeriesLabels) => `${route} ${service} ${consumer} ${code}`

/** Past the bound, all that is new is counted for this consumer: metrics stay bounded, and sums stay right. */
const other = 'other'

/** Series by their labels, so many at most. */
export class SeriesTable {
  readonly #bound: number
  readonly #buckets: number
  readonly #series = new Map<string, Series>()

  /** `buckets`: how many bounds durations are sorted by; 0: none. */
  constructor(bound: number, buckets: number) {
    this.#bound = bound
    this.#buckets = buckets
  }

  /** The series of these labels, or where there is no more room that of other consumers. */
  of(labels: SeriesLabels): Series {
    const known = this.#series.get(keyOf(labels))
    if (known) return known
    const isFull = this.#series.size >= this.#bound && labels.consumer !== other
    return isFull ? this.of({ ...labels, consumer: other }) : this.#add(labels)
  }

  add(counted: Series): void {
    const series = this.of(counted.labels)
    series.requests += counted.requests
    series.requestBytes += counted.requestBytes
    series.responseBytes += counted.responseBytes
    series.durationSum += counted.durationSum
    for (const [index, count] of counted.buckets.entries()) series.buckets[index]! += count
  }

  /** All of them; the table is empty afterwards. */
  take(): Series[] {
    const all = [...this.#series.values()]
    this.#series.clear()
    return all
  }

  /** As metrics; `bounds`: those that durations were sorted by, in seconds. */
  metrics(bounds: readonly number[]): PluginMetric[] {
    const all = [...this.#series.values()]
    const counter = (name: string, help: string, read: (series: Series) => number): PluginMetric => ({
      name,
      help,
      type: 'counter',
      samples: all.map((series) => ({ labels: { ...series.labels }, value: read(series) })),
    })
    return [
      counter('consumer_requests_total', 'Requests of a consumer.', ({ requests }) => requests),
      counter('consumer_request_bytes_total', 'Bytes of bodies that it sent.', (one) => one.requestBytes),
      counter(
        'consumer_response_bytes_total',
        'Bytes of bodies that it was sent.',
        (one) => one.responseBytes,
      ),
      ...(bounds.length > 0 ? [durations(all, bounds)] : []),
    ]
  }

  #add(labels: SeriesLabels): Series {
    const buckets = this.#buckets === 0 ? [] : new Array<number>(this.#buckets + 1).fill(0)
    const series = { labels, requests: 0, requestBytes: 0, responseBytes: 0, durationSum: 0, buckets }
    this.#series.set(keyOf(labels), series)
    return series
  }
}

const durations = (all: readonly Series[], bounds: readonly number[]): PluginMetric => ({
  name: 'consumer_request_duration_seconds',
  type: 'histogram',
  help: 'Time from the head of a request to the end of its answer.',
  samples: all.flatMap(({ labels, buckets, durationSum, requests }) => {
    let count = 0
    const cumulated = [...bounds, '+Inf'].map((bound, index) => {
      count += buckets[index]!
      return { suffix: '_bucket', labels: { ...labels, le: String(bound) }, value: count }
    })
    return [
      ...cumulated,
      { suffix: '_sum', labels: { ...labels }, value: durationSum },
      { suffix: '_count', labels: { ...labels }, value: requests },
    ]
  }),
})
