import fc from 'fast-check'
import type { Pattern } from '../../../../gateway-runtime/src/plugins/waf/regex/pattern.ts'

/** Texts that a pattern is likely to match: made by walking it. What it asserts of places is not seen to. */
export function matchingText(pattern: Pattern): fc.Arbitrary<string> {
  switch (pattern.type) {
    case 'bytes': {
      const members = [...pattern.set.keys()].filter((byte) => pattern.set[byte])
      return members.length === 0
        ? fc.constant('')
        : fc.constantFrom(...members).map((byte) => String.fromCharCode(byte))
    }
    case 'assertion':
      return fc.constant('')
    case 'capture':
      return matchingText(pattern.item)
    case 'sequence':
      return fc.tuple(...pattern.items.map(matchingText)).map((parts) => parts.join(''))
    case 'alternatives':
      return fc.oneof(...pattern.items.map(matchingText))
    case 'repeat': {
      const maxLength = Math.max(pattern.min, Math.min(pattern.max, pattern.min + 2))
      return fc
        .array(matchingText(pattern.item), { minLength: pattern.min, maxLength })
        .map((parts) => parts.join(''))
    }
  }
}
