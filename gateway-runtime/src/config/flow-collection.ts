/** Something in a file that an edit would harm; the file is left as it is. */
export class EditRefused extends Error {
  override readonly name = 'EditRefused'
  readonly code = 'edit-refused'
}

/** The text of `[…]` or `{…}`: items, and before, between and behind them gaps of spaces, commas and comments. */
export class FlowCollection {
  readonly #brackets: readonly [open: string, close: string]
  readonly #items: string[] = []
  readonly #gaps: string[] = []

  /** `ranges`: where in `text`, which includes the brackets, the items are. */
  constructor(text: string, ranges: readonly (readonly [start: number, end: number])[]) {
    this.#brackets = [text[0]!, text.at(-1)!]
    let position = 1
    for (const [start, end] of ranges) {
      this.#gaps.push(text.slice(position, start))
      this.#items.push(text.slice(start, end))
      position = end
    }
    this.#gaps.push(text.slice(position, -1))
    // Anchors, tags and explicit keys stand in gaps too; what they mean is not known here.
    if (!this.#gaps.every((gap) => /^(?:[\s,]|#[^\n]*(?:\n|$))*$/.test(gap))) {
      throw new EditRefused('a list or mapping has anchors, tags or explicit keys')
    }
  }

  set(index: number, text: string): void {
    this.#items[index] = text
  }

  delete(index: number): void {
    const before = this.#gaps[index]!
    const after = this.#gaps[index + 1]!
    this.#items.splice(index, 1)
    const gap = index < this.#items.length ? before + commentsOf(withoutComma(after)) : lastGap(before, after)
    this.#gaps.splice(index, 2, this.#items.length > 0 ? gap : commentsOf(withoutComma(gap)))
  }

  append(text: string): void {
    const last = this.#gaps.pop()!
    this.#gaps.push(...(this.#items.length === 0 ? this.#aroundFirst(last) : this.#aroundNext(last)))
    this.#items.push(text)
  }

  toString(): string {
    const inside = this.#items.map((item, index) => this.#gaps[index]! + item).join('')
    return this.#brackets[0] + inside + this.#gaps.at(-1)! + this.#brackets[1]
  }

  #aroundFirst(gap: string): [before: string, after: string] {
    if (gap.includes('#')) return [`${gap}  `, closing(gap) || '\n']
    return this.#brackets[0] === '{' ? [' ', ' '] : ['', '']
  }

  /** `last`: the gap behind the last item so far. A comment on its line stays with it. */
  #aroundNext(last: string): [before: string, after: string] {
    const comma = hasComma(last)
    if (!last.includes('\n')) return comma ? [`${last.trimEnd()} `, ''] : [', ', last]
    const before = (comma ? '' : ',') + last.slice(0, last.lastIndexOf('\n') + 1) + this.#indentation(last)
    return [before, (comma ? ',' : '') + closing(last)]
  }

  #indentation(last: string): string {
    return /\n([ \t]*)$/.exec(this.#gaps.at(-1)!)?.[1] ?? `${closing(last).replace(/^\r?\n/, '')}  `
  }
}

/** What is left before the closing bracket when the last item goes. */
function lastGap(before: string, after: string): string {
  if (!hasComma(after)) return commentsOf(withoutComma(before)) + after
  const comments = commentsOf(withoutComma(after))
  if (comments !== '' || before.includes('#')) return before + comments
  return before.trimEnd() + closing(after)
}

/** From the last newline on: what puts the closing bracket on its own line. */
const closing = (gap: string) => /\r?\n[ \t]*$/.exec(gap)?.[0] ?? ''

const commaOutsideComments = /^((?:\s|#[^\n]*\n)*),/
const hasComma = (gap: string) => commaOutsideComments.test(gap)
const withoutComma = (gap: string) => gap.replace(commaOutsideComments, '$1')

/** The gap where it holds comments, else nothing. */
const commentsOf = (gap: string) => (gap.includes('#') ? gap : '')
