import { monotonicNow } from '../../clock.ts'
import type { CircuitBreaker as Settings } from '../../config/schema.ts'

export const circuitStates = ['closed', 'open', 'half-open'] as const
export type CircuitState = (typeof circuitStates)[number]

const closed = 0
const open = 1
const halfOpen = 2

// A slot: state, failures in a row, when it may be probed (monotonic milliseconds, modulo 2^32), times opened.
const fields = 4

/** Bytes of shared memory for the circuits of so many targets. */
export const circuitMemorySize = (targets: number): number => targets * fields * Int32Array.BYTES_PER_ELEMENT

/** Makes a slot that of another target. */
export function resetCircuit(memory: SharedArrayBuffer, slot: number): void {
  new Int32Array(memory).fill(0, slot * fields, (slot + 1) * fields)
}

/** Reads a circuit from any thread. */
export function readCircuit(
  memory: SharedArrayBuffer,
  slot: number,
): { state: CircuitState; opened: number } {
  const words = new Int32Array(memory)
  return {
    state: circuitStates[Atomics.load(words, slot * fields)]!,
    opened: Atomics.load(words, slot * fields + 3),
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
  readonly #state: number
  readonly #failures: number
  readonly #probeAt: number
  readonly #opened: number

  /** `now` gives milliseconds of a clock that is one for all workers. */
  constructor(settings: Settings, memory: SharedArrayBuffer, slot: number, now: () => number = monotonicNow) {
    this.#settings = settings
    this.#now = now
    this.#words = new Int32Array(memory)
    this.#state = slot * fields
    this.#failures = this.#state + 1
    this.#probeAt = this.#state + 2
    this.#opened = this.#state + 3
  }

  /** Whether a request may go to the target now. In a circuit that is due for a probe, the caller is the probe. */
  tryPass(): boolean {
    const state = Atomics.load(this.#words, this.#state)
    if (state === closed || !this.#settings.enabled) return true
    const probeAt = Atomics.load(this.#words, this.#probeAt)
    const now = this.#now() | 0
    if (((now - probeAt) | 0) < 0) return false
    // Whoever moves the time of the next probe is the one that probes now.
    const next = (now + this.#settings.open_duration) | 0
    if (Atomics.compareExchange(this.#words, this.#probeAt, probeAt, next) !== probeAt) return false
    Atomics.store(this.#words, this.#state, halfOpen)
    return true
  }

  /** Whether no request may go to the target now; unlike `tryPass` it makes nobody the probe. */
  get isBlocked(): boolean {
    if (Atomics.load(this.#words, this.#state) === closed || !this.#settings.enabled) return false
    return (((this.#now() | 0) - Atomics.load(this.#words, this.#probeAt)) | 0) < 0
  }

  onSuccess(): void {
    if (Atomics.load(this.#words, this.#failures) !== 0) Atomics.store(this.#words, this.#failures, 0)
    // A late answer to a request from before does not close an open circuit: a probe does.
    if (Atomics.load(this.#words, this.#state) !== closed) {
      Atomics.compareExchange(this.#words, this.#state, halfOpen, closed)
    }
  }

  /** Returns whether this failure opened the circuit. */
  onFailure(): boolean {
    if (!this.#settings.enabled) return false
    const failures = Atomics.add(this.#words, this.#failures, 1) + 1
    const state = Atomics.load(this.#words, this.#state)
    if (state === open || (state === closed && failures < this.#settings.consecutive_failures)) return false
    Atomics.store(this.#words, this.#probeAt, (this.#now() + this.#settings.open_duration) | 0)
    if (Atomics.compareExchange(this.#words, this.#state, state, open) !== state) return false
    Atomics.add(this.#words, this.#opened, 1)
    return true
  }
}
