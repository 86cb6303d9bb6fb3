import { monotonicNow } from '../../clock.ts'
import type { CircuitBreaker as Settings } from '../../config/schema.ts'
import { TargetHealth } from './health.ts'
import { circuitWords } from './target-state.ts'

export const circuitStates = ['closed', 'open', 'half-open'] as const
export type CircuitState = (typeof circuitStates)[number]

const closed = 0
const open = 1
const halfOpen = 2

// State, failures in a row, when it may be probed (monotonic milliseconds, modulo 2^32), times opened.
const stateWord = circuitWords
const failuresWord = circuitWords + 1
const probeAtWord = circuitWords + 2
const openedWord = circuitWords + 3

/** Reads a circuit from any thread. */
export function readCircuit(memory: SharedArrayBuffer): { state: CircuitState; opened: number } {
  const words = new Int32Array(memory)
  return {
    state: circuitStates[Atomics.load(words, stateWord)]!,
    opened: Atomics.load(words, openedWord),
  }
}

/**
 * The circuit of one target, one for all workers of the node.
 *
 * Closed: requests pass; so many failures in a row open it. Open: none pass until `open_duration` is over, then one
 * may probe the target (half-open): its success closes the circuit, its failure opens it again. A probe of which
 * nothing is heard for another `open_duration` counts as lost, and the next request probes.
 */
export class CircuitBreaker {
  readonly #settings: Settings
  readonly #now: () => number
  readonly #words: Int32Array
  readonly #health: TargetHealth

  /** `now` gives milliseconds of a clock that is one for all workers. */
  constructor(settings: Settings, memory: SharedArrayBuffer, now: () => number = monotonicNow) {
    this.#settings = settings
    this.#now = now
    this.#words = new Int32Array(memory)
    this.#health = new TargetHealth(memory, now)
  }

  /** Whether a request may go to the target now. In a circuit that is due for a probe, the caller is the probe. */
  tryPass(): boolean {
    const state = Atomics.load(this.#words, stateWord)
    if (state === closed || !this.#settings.enabled) return true
    const probeAt = Atomics.load(this.#words, probeAtWord)
    const now = this.#now() | 0
    if (((now - probeAt) | 0) < 0) return false
    // Whoever moves the time of the next probe is the one that probes now.
    const next = (now + this.#settings.open_duration) | 0
    if (Atomics.compareExchange(this.#words, probeAtWord, probeAt, next) !== probeAt) return false
    Atomics.store(this.#words, stateWord, halfOpen)
    return true
  }

  /** Whether no request may go to the target now; unlike `tryPass` it makes nobody the probe. */
  get isBlocked(): boolean {
    if (Atomics.load(this.#words, stateWord) === closed || !this.#settings.enabled) return false
    return (((this.#now() | 0) - Atomics.load(this.#words, probeAtWord)) | 0) < 0
  }

  onSuccess(): void {
    if (Atomics.load(this.#words, failuresWord) !== 0) Atomics.store(this.#words, failuresWord, 0)
    // A late answer to a request from before does not close an open circuit: a probe does.
    if (Atomics.load(this.#words, stateWord) !== closed) {
      if (Atomics.compareExchange(this.#words, stateWord, halfOpen, closed) === halfOpen)
        this.#health.warmUp()
    }
  }

  /** Returns whether this failure opened the circuit. */
  onFailure(): boolean {
    if (!this.#settings.enabled) return false
    const failures = Atomics.add(this.#words, failuresWord, 1) + 1
    const state = Atomics.load(this.#words, stateWord)
    if (state === open || (state === closed && failures < this.#settings.consecutive_failures)) return false
    Atomics.store(this.#words, probeAtWord, (this.#now() + this.#settings.open_duration) | 0)
    if (Atomics.compareExchange(this.#words, stateWord, state, open) !== state) return false
    Atomics.add(this.#words, openedWord, 1)
    return true
  }
}
