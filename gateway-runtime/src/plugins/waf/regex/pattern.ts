import type { ByteSet } from './byte-set.ts'

/** What a pattern asks of a place between two characters. */
export type Assertion =
  | 'line-start'
  | 'line-end'
  | 'text-start'
  | 'text-end'
  | 'last-line-end'
  | 'word'
  | 'not-word'

/** A regular expression over bytes, without references back: what a linear-time engine can run. */
export type Pattern =
  | { readonly type: 'bytes'; readonly set: ByteSet }
  | { readonly type: 'sequence'; readonly items: readonly Pattern[] }
  | { readonly type: 'alternatives'; readonly items: readonly Pattern[] }
  | {
      readonly type: 'repeat'
      readonly item: Pattern
      readonly min: number
      readonly max: number
      readonly lazy: boolean
    }
  | { readonly type: 'capture'; readonly item: Pattern }
  | { readonly type: 'assertion'; readonly assertion: Assertion }

/** A pattern that cannot be taken; `message` says what it uses. */
export class PatternError extends Error {}
