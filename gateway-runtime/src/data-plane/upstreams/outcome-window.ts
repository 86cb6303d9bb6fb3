import { monotonicNow } from '../../clock.ts'
import { outcomeSpans, outcomeSpanWords, outcomeWords } from './target-state.ts'

const requestsWord = 1
const failuresWord = 2
const spansEnd = outcomeWords + outcomeSpans * outcomeSpanWords

/**
 * How the requests of the last while ended at one target, counted over all workers: a ring of ten spans of time, so
 * that what is read covers nine to ten tenths of the window. Whoever counts first in a span empties its place; what
 * another thread adds in that very moment may be lost, a request or two in a window.
 *
 * Words of a span: its number, its requests, its failures.
 */
export class OutcomeWindow {
  readonly #words: Int32Array
  readonly #spanLength: number
  readonly #now: () => number

  /** `length`: milliseconds; `now` gives milliseconds of a clock that is one for all threads. */
  constructor(memory: SharedArrayBuffer, length: number, now: () => number = monotonicNow) {
    this.#words = new Int32Array(memory)
    this.#spanLength = Math.max(length / outcomeSpans, 1)
    this.#now = now
  }

  countSuccess(): void {
    Atomics.add(this.#words, this.#currentSpan() + requestsWord, 1)
  }

  /** `isCounted`: the request was counted when its answer began, which then broke off. */
  countFailure(isCounted: boolean): void {
    const span = this.#currentSpan()
    if (!isCounted) Atomics.add(this.#words, span + requestsWord, 1)
    Atomics.add(this.#words, span + failuresWord, 1)
  }

  /** What was counted in the window that ends now. */
  read(): { readonly requests: number; readonly failures: number } {
    const current = this.#currentNumber()
    let requests = 0
    let failures = 0
    for (let span = outcomeWords; span < spansEnd; span += outcomeSpanWords) {
      const age = (current - Atomics.load(this.#words, span)) | 0
      // Another thread may be in the next span already.
      if (age < -1 || age >= outcomeSpans) continue
      requests += Atomics.load(this.#words, span + requestsWord)
      failures += Atomics.load(this.#words, span + failuresWord)
    }
    return { requests, failures: Math.min(failures, requests) }
  }

  /** Forgets what was counted. */
  clear(): void {
    for (let span = outcomeWords; span < spansEnd; span += outcomeSpanWords) {
      Atomics.store(this.#words, span + requestsWord, 0)
      Atomics.store(this.#words, span + failuresWord, 0)
    }
  }

  #currentNumber(): number {
    return Math.floor(this.#now() / this.#spanLength) | 0
  }

  /** Where the words of the span that is now begin. */
  #currentSpan(): number {
    const number = this.#currentNumber()
    const span = outcomeWords + ((number >>> 0) % outcomeSpans) * outcomeSpanWords
    const found = Atomics.load(this.#words, span)
    if (found !== number && Atomics.compareExchange(this.#words, span, found, number) === found) {
      Atomics.store(this.#words, span + requestsWord, 0)
      Atomics.store(this.#words, span + failuresWord, 0)
    }
    return span
  }
}
