import type { Assertion, Pattern } from './pattern.ts'

const relaxed: Partial<Record<Assertion, Assertion>> = {
  'text-start': 'line-start',
  'text-end': 'line-end',
  'last-line-end': 'line-end',
}

/**
 * The pattern for a text of many values, a line each: whatever matches one of the values matches the text. So one pass
 * tells which patterns need a closer look at all.
 */
export function relaxedPattern(pattern: Pattern): Pattern {
  switch (pattern.type) {
    case 'bytes':
      return pattern
    case 'assertion':
      return { type: 'assertion', assertion: relaxed[pattern.assertion] ?? pattern.assertion }
    case 'sequence':
      return { type: 'sequence', items: pattern.items.map(relaxedPattern) }
    case 'alternatives':
      return { type: 'alternatives', items: pattern.items.map(relaxedPattern) }
    case 'capture': // groups cost time, and nobody asks for them here
      return relaxedPattern(pattern.item)
    case 'repeat':
      return { ...pattern, item: relaxedPattern(pattern.item) }
  }
}
