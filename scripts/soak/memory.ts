import { residentMemory } from '../bench/process-cost.ts'
import { spread } from '../bench/statistics.ts'
import type { LiveMemory } from './live-memory.ts'

const interval = 5_000
const warmUp = 0.25 // of the run, and at most two minutes
const longestWarmUp = 120_000
const shortestJudged = 120_000
const mostGrowth = 0.05

/** Live memory of a process after its warm-up, and what it holds of the system's; in bytes. */
export interface MemoryVerdict {
  /** Medians of the first and of the last third. */
  readonly first: number
  readonly last: number
  readonly highest: number
  /** Medians of the memory that the system has given it: resident, with what the engine keeps in store. */
  readonly resident: { readonly first: number; readonly last: number }
  /** By least squares, over an hour. */
  readonly slope: number
  /** Whether the run was long enough to say anything. */
  readonly isJudged: boolean
  readonly isFlat: boolean
}

interface Sample {
  /** Milliseconds from the beginning. */
  readonly at: number
  readonly live: number
  readonly resident: number
}

/** Looks at the memory of a process every five seconds. */
export class MemoryWatch {
  readonly #samples: Sample[] = []
  readonly #pid: number
  readonly #live: LiveMemory
  readonly #began = performance.now()
  readonly #timer = setInterval(() => void this.#look(), interval)
  #isLooking = false

  constructor(pid: number, live: LiveMemory) {
    this.#pid = pid
    this.#live = live
  }

  /** What is alive by the last sample; 0 before the first. */
  get current(): number {
    return this.#samples.at(-1)?.live ?? 0
  }

  /** Ends it. */
  stop(): MemoryVerdict {
    clearInterval(this.#timer)
    this.#live.close()
    return judgeMemory(this.#samples)
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const live = await this.#live.measure()
    const resident = await residentMemory(this.#pid).catch(() => undefined)
    if (resident !== undefined) this.#samples.push({ at: performance.now() - this.#began, live, resident })
    this.#isLooking = false
  }
}

/**
 * Flat: behind the warm-up, the median of what is alive in the last third is at most 5 % above that of the first.
 * Medians, since requests in flight come and go; thirds, since a leak goes on.
 */
export function judgeMemory(samples: readonly Sample[]): MemoryVerdict {
  const end = samples.at(-1)?.at ?? 0
  const warm = Math.min(end * warmUp, longestWarmUp)
  const measured = samples.filter(({ at }) => at >= warm)
  const third = (end - warm) / 3
  const firsts = measured.filter(({ at }) => at < warm + third)
  const lasts = measured.filter(({ at }) => at >= end - third)
  const first = median(firsts.map(({ live }) => live))
  const last = median(lasts.map(({ live }) => live))
  const isJudged = end >= shortestJudged
  return {
    first,
    last,
    highest: Math.max(0, ...samples.map(({ live }) => live)),
    resident: {
      first: median(firsts.map(({ resident }) => resident)),
      last: median(lasts.map(({ resident }) => resident)),
    },
    slope: slope(measured) * 3_600_000,
    isJudged,
    isFlat: !isJudged || last <= first * (1 + mostGrowth),
  }
}

const median = (values: readonly number[]): number => (values.length === 0 ? 0 : spread(values).median)

/** Bytes a millisecond, by least squares. */
function slope(samples: readonly Sample[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const times = samples.map(({ at }) => at)
  const meanTime = mean(times)
  const meanBytes = mean(samples.map(({ live }) => live))
  const covariance = samples.reduce((sum, { at, live }) => sum + (at - meanTime) * (live - meanBytes), 0)
  const variance = times.reduce((sum, at) => sum + (at - meanTime) ** 2, 0)
  return variance === 0 ? 0 : covariance / variance
}
