import fc from 'fast-check'

const generated = fc.letrec<{ expression: string; atom: string; repeated: string }>((tie) => ({
  atom: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom('a', 'b', '.', '[ab]', '[^b]', '\\w', '/', 'a?', '\\b'),
    tie('expression').map((inner) => `(?:${inner})`),
    tie('expression').map((inner) => `(${inner})`),
    fc.tuple(tie('expression'), tie('expression')).map(([one, other]) => `(?:${one}|${other})`),
  ),
  repeated: fc
    .tuple(tie('atom'), fc.constantFrom('', '', '*', '+', '*?', '{2}', '{1,9}', '{0,40}', '{3,}'))
    .map(([atom, quantifier]) =>
      /[?b]$/.test(atom) && quantifier !== '' ? `(?:${atom})${quantifier}` : atom + quantifier,
    ),
  expression: fc.array(tie('repeated'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
}))

/** Expressions with all that makes backtracking exponential or polynomial: nested and overlapping repetition. */
export const { expression } = generated
