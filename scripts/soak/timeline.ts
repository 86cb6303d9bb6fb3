/** What something was, and when: times are milliseconds of `performance.now()`. */
export class Timeline<T> {
  readonly #entries: { readonly at: number; readonly value: T }[]

  constructor(first: T) {
    this.#entries = [{ at: Number.NEGATIVE_INFINITY, value: first }]
  }

  get current(): T {
    return this.#entries.at(-1)!.value
  }

  add(value: T, at: number = performance.now()): void {
    this.#entries.push({ at, value })
  }

  /** All that it was at some moment of that time. */
  during(from: number, to: number): Set<T> {
    const values = new Set<T>()
    for (let index = this.#entries.length - 1; index >= 0; index--) {
      const { at, value } = this.#entries[index]!
      if (at > to) continue
      values.add(value)
      if (at <= from) break
    }
    return values
  }
}
