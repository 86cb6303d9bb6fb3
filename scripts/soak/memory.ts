import { residentMemory } from '../bench/process-cost.ts'
import { spread } from '../bench/statistics.ts'

const interval = 500
const warmUp = 0.25 // of the run, and at most two minutes
const longestWarmUp = 120_000
const shortestJudged = 60_000
const mostGrowth = 0.05

/** Memory of a process after its warm-up; in bytes. */
export interface MemoryVerdict {
  /** Medians of the first and of the last third. */
  readonly first: number
  readonly last: number
  readonly highest: number
  /** By least squares, over an hour. */
  readonly slope: number
  /** Whether the run was long enough to say anything. */
  readonly isJudged: boolean
  readonly isFlat: boolean
}

interface Sample {
  readonly at: number
  readonly bytes: number
}

/** Looks at the resident memory of a process twice a second. */
export class MemoryWatch {
  readonly #samples: Sample[] = []
  readonly #pid: number
  readonly #began = performance.now()
  readonly #timer = setInterval(() => void this.#look(), interval)

  constructor(pid: number) {
    this.#pid = pid
  }

  /** The last sample; 0 before the first. */
  get current(): number {
    return this.#samples.at(-1)?.bytes ?? 0
  }

  /** Ends it. */
  stop(): MemoryVerdict {
    clearInterval(this.#timer)
    return judgeMemory(this.#samples)
  }

  async #look(): Promise<void> {
    const bytes = await residentMemory(this.#pid).catch(() => undefined)
    if (bytes !== undefined) this.#samples.push({ at: performance.now() - this.#began, bytes })
  }
}

/**
 * Flat: behind the warm-up, the median of the last third is at most 5 % above that of the first. Medians, since what
 * an engine holds goes up and down with its collections of garbage; thirds, since a leak goes on.
 */
export function judgeMemory(samples: readonly Sample[]): MemoryVerdict {
  const end = samples.at(-1)?.at ?? 0
  const warm = Math.min(end * warmUp, longestWarmUp)
  const measured = samples.filter(({ at }) => at >= warm)
  const third = (end - warm) / 3
  const first = median(measured.filter(({ at }) => at < warm + third))
  const last = median(measured.filter(({ at }) => at >= end - third))
  const isJudged = end >= shortestJudged
  return {
    first,
    last,
    highest: Math.max(0, ...samples.map(({ bytes }) => bytes)),
    slope: slope(measured) * 3_600_000,
    isJudged,
    isFlat: !isJudged || last <= first * (1 + mostGrowth),
  }
}

const median = (samples: readonly Sample[]): number =>
  samples.length === 0 ? 0 : spread(samples.map(({ bytes }) => bytes)).median

/** Bytes a millisecond, by least squares. */
function slope(samples: readonly Sample[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const times = samples.map(({ at }) => at)
  const meanTime = mean(times)
  const meanBytes = mean(samples.map(({ bytes }) => bytes))
  const covariance = samples.reduce((sum, { at, bytes }) => sum + (at - meanTime) * (bytes - meanBytes), 0)
  const variance = times.reduce((sum, at) => sum + (at - meanTime) ** 2, 0)
  return variance === 0 ? 0 : covariance / variance
}
