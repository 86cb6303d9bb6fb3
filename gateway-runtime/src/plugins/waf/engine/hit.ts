/** A rule that a request matched, for logs and metrics. */
export interface Hit {
  readonly ruleId: number
  readonly message: string
  /** CRITICAL, ERROR, WARNING, NOTICE, …; '' where the rule has none. */
  readonly severity: string
  /** `ARGS:id`; the last one that matched. */
  readonly variable: string
  /** The part of its value that matched, cut to 100 characters, with secrets masked. */
  readonly matched: string
  readonly tags: readonly string[]
}

const maxLength = 100
const secretName =
  /pass(?:word|wd|phrase)?|pwd|secret|token|session|auth|cookie|api-?_?key|credential|jwt|otp|pin\b|cvv|ssn|iban/i
/** Longer runs of such characters are keys, tokens and numbers of cards more often than words. */
const longestWord = 24
const longestNumber = 9

/** The part that matched, fit for a log: nothing of what a secret's name announces, and no long keys or numbers. */
export function maskedPart(variable: string, text: string): string {
  const shown = [...text.slice(0, maxLength)].map(printable).join('')
  const cut = text.length > maxLength ? `${shown}…` : shown
  if (secretName.test(variable)) return '***'
  return maskRuns(cut)
}

const printable = (character: string) => {
  const code = character.charCodeAt(0)
  return code < 0x20 || (code >= 0x7f && code < 0xa0) ? `\\x${code.toString(16).padStart(2, '0')}` : character
}

const isDigit = (character: string) => character >= '0' && character <= '9'
const isWord = (character: string) =>
  isDigit(character) || (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z')

function maskRuns(text: string): string {
  let result = ''
  for (let i = 0; i < text.length; ) {
    const start = i
    while (i < text.length && isWord(text[i]!)) i++
    const run = text.slice(start, i)
    if (run === '') result += text[i++]
    else result += isSecretRun(run) ? '***' : run
  }
  return result
}

function isSecretRun(run: string): boolean {
  if (run.length > longestWord) return true
  return run.length > longestNumber && [...run].every(isDigit)
}
