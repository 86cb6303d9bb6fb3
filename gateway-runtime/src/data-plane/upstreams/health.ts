import { monotonicNow } from '../../clock.ts'
import { healthWords } from './target-state.ts'

export const healthStates = ['healthy', 'unhealthy', 'ejected'] as const
export type HealthState = (typeof healthStates)[number]

const failsChecks = 1
const ejected = 2

// What speaks against it (flags; 0: nothing), since when it is new or well again (monotonic milliseconds, modulo 2^32;
// 0: for longer than anybody asks), and how often it was ejected.
const stateWord = healthWords
const warmFromWord = healthWords + 1
const ejectionsWord = healthWords + 2

/** What a target that begins is given of its weight at least: with nothing it would never be seen to work. */
const leastWarmth = 0.1
const clockSkew = 1_000

/**
 * The health of one target, as active checks and outlier detection find it: all threads read it, and only that of
 * the control plane says what speaks against it.
 */
export class TargetHealth {
  readonly #words: Int32Array
  readonly #now: () => number

  /** `now` gives milliseconds of a clock that is one for all threads. */
  constructor(memory: SharedArrayBuffer, now: () => number = monotonicNow) {
    this.#words = new Int32Array(memory)
    this.#now = now
  }

  /** Whether it gets requests: true until something is found. */
  get isHealthy(): boolean {
    return this.#flags === 0
  }

  /** `unhealthy` where checks fail, whether or not it is ejected besides. */
  get state(): HealthState {
    const flags = this.#flags
    if (flags === 0) return 'healthy'
    return (flags & failsChecks) !== 0 ? 'unhealthy' : 'ejected'
  }

  /** How often it was ejected. */
  get ejections(): number {
    return Atomics.load(this.#words, ejectionsWord)
  }

  get passesChecks(): boolean {
    return (this.#flags & failsChecks) === 0
  }

  set passesChecks(passes: boolean) {
    this.#setFlag(failsChecks, !passes)
  }

  /** Whether it is left alone for a while because of how it answered requests. */
  get isEjected(): boolean {
    return (this.#flags & ejected) !== 0
  }

  set isEjected(isEjected: boolean) {
    if (isEjected && !this.isEjected) Atomics.add(this.#words, ejectionsWord, 1)
    this.#setFlag(ejected, isEjected)
  }

  /** The target is new or well again: from now on it gets its weight bit by bit, where `slow_start` says so. */
  warmUp(): void {
    Atomics.store(this.#words, warmFromWord, this.#now() | 0 || 1)
  }

  /** Part of its weight that the target is given now, from 0.1 to 1, where it takes `slowStart` ms to be given all. */
  warmth(slowStart: number): number {
    const from = Atomics.load(this.#words, warmFromWord)
    if (from === 0) return 1
    const elapsed = ((this.#now() | 0) - from) | 0
    if (elapsed >= 0 && elapsed < slowStart) return Math.max(elapsed / slowStart, leastWarmth)
    if (elapsed < 0 && elapsed > -clockSkew) return leastWarmth
    // Forgotten, or the clock would come round to it again.
    Atomics.compareExchange(this.#words, warmFromWord, from, 0)
    return 1
  }

  get #flags(): number {
    return Atomics.load(this.#words, stateWord)
  }

  #setFlag(flag: number, isSet: boolean): void {
    const before = this.#flags
    const after = isSet ? before | flag : before & ~flag
    if (before !== 0 && after === 0) this.warmUp()
    Atomics.store(this.#words, stateWord, after)
  }
}
