/** Longer texts seldom come again, and would take memory. */
const longestText = 128
const generationSize = 64

/**
 * Answers for short texts that were asked for last: what headers say comes again with nearly every request. It keeps
 * two generations, and forgets the older one when the younger is full.
 */
export class RecentAnswers<Answer> {
  #young = new Map<string, Answer>()
  #old = new Map<string, Answer>()

  /** Undefined where none is remembered. */
  get(text: string): Answer | undefined {
    if (text.length > longestText) return undefined
    const known = this.#young.get(text)
    if (known !== undefined) return known
    const older = this.#old.get(text)
    if (older !== undefined) this.set(text, older)
    return older
  }

  set(text: string, answer: Answer): void {
    if (text.length > longestText) return
    if (this.#young.size >= generationSize) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(text, answer)
  }
}

/** A pure function of a text that remembers its last answers. */
export function remembering<Answer>(compute: (text: string) => Answer): (text: string) => Answer {
  const answers = new RecentAnswers<{ readonly answer: Answer }>()
  return (text) => {
    const known = answers.get(text)
    if (known) return known.answer
    const answer = compute(text)
    answers.set(text, { answer })
    return answer
  }
}
