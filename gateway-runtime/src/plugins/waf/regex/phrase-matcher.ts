import { lowercase } from '../transformations/text-shapers.ts'

const none: ReadonlySet<number> = new Set()

/**
 * Finds which of many lists of phrases have one in a text, in one pass and without regard to the case of ASCII
 * letters (Aho and Corasick, 1975). Time is in proportion to the text.
 */
export class PhraseMatcher {
  readonly #classOf: Uint8Array
  readonly #classes: number
  readonly #next: Int32Array
  /** For each state the lists of which a phrase ends there. */
  readonly #lists: readonly (readonly number[] | undefined)[]
  /** For each state the length of the longest phrase that ends there. */
  readonly #lengths: Uint16Array

  constructor(lists: readonly (readonly string[])[]) {
    const phrases = lists.flatMap((list, index) =>
      list.filter((phrase) => phrase !== '').map((phrase) => ({ text: lowercase(phrase), list: index })),
    )
    const { classOf, classes } = characterClasses(phrases.map(({ text }) => text))
    const states = 1 + phrases.reduce((sum, { text }) => sum + text.length, 0)
    const trie = new Int32Array(states * classes).fill(-1)
    const ends: (Set<number> | undefined)[] = []
    const lengths = new Uint16Array(states)
    let used = 1
    for (const { text, list } of phrases) {
      let state = 0
      for (let i = 0; i < text.length; i++) {
        const edge = state * classes + classOf[text.charCodeAt(i) & 0xff]!
        if (trie[edge]! < 0) trie[edge] = used++
        state = trie[edge]!
      }
      lengths[state] = text.length
      ends[state] = (ends[state] ?? new Set()).add(list)
    }
    linkFailures(trie.subarray(0, used * classes), classes, ends, lengths)
    this.#classOf = classOf
    this.#classes = classes
    this.#next = trie.slice(0, used * classes)
    this.#lists = Array.from({ length: used }, (_, state) => ends[state] && [...ends[state]])
    this.#lengths = lengths.slice(0, used)
  }

  /** Indices of the lists of which a phrase is in the text. */
  lists(text: string): ReadonlySet<number> {
    const classOf = this.#classOf
    const classes = this.#classes
    const next = this.#next
    const ends = this.#lists
    let found: Set<number> | undefined
    let state = 0
    for (let i = 0; i < text.length; i++) {
      state = next[state * classes + classOf[text.charCodeAt(i) & 0xff]!]!
      const lists = ends[state]
      if (lists === undefined) continue
      found ??= new Set()
      for (const list of lists) found.add(list)
    }
    return found ?? none
  }

  /** The phrase of any list that ends first in the text, as it stands there; undefined where there is none. */
  first(text: string): string | undefined {
    let state = 0
    for (let i = 0; i < text.length; i++) {
      state = this.#next[state * this.#classes + this.#classOf[text.charCodeAt(i) & 0xff]!]!
      if (this.#lists[state]) return text.slice(i + 1 - this.#lengths[state]!, i + 1)
    }
    return undefined
  }
}

/** Bytes that no phrase has share one class, upper case its lower case's: a small table. */
function characterClasses(phrases: readonly string[]): { classOf: Uint8Array; classes: number } {
  const classOf = new Uint8Array(256)
  let classes = 1
  for (const phrase of phrases) {
    for (let i = 0; i < phrase.length; i++) {
      const code = phrase.charCodeAt(i) & 0xff
      if (classOf[code] === 0) classOf[code] = classes++
    }
  }
  for (let upper = 0x41; upper <= 0x5a; upper++) classOf[upper] = classOf[upper + 0x20]!
  return { classOf, classes }
}

function linkFailures(
  trie: Int32Array,
  classes: number,
  ends: (Set<number> | undefined)[],
  lengths: Uint16Array,
): void {
  const failure = new Int32Array(trie.length / classes)
  const queue: number[] = [0]
  for (let head = 0; head < queue.length; head++) {
    const state = queue[head]!
    for (let letter = 0; letter < classes; letter++) {
      const edge = state * classes + letter
      const fallback = state === 0 ? 0 : trie[failure[state]! * classes + letter]!
      const child = trie[edge]!
      if (child < 0) {
        trie[edge] = fallback
        continue
      }
      failure[child] = fallback
      queue.push(child)
      const inherited = ends[fallback]
      if (!inherited) continue
      ends[child] = new Set([...(ends[child] ?? []), ...inherited])
      if (lengths[child] === 0) lengths[child] = lengths[fallback]!
    }
  }
}
