/**
 * ASCII characters that programs on Windows put in place of others when they convert to code page 20127, so that
 * an apostrophe of typesetting can end a string of SQL. Accents fall away through Unicode's own decomposition; here
 * stands what has none.
 */
const fits: readonly (readonly [ascii: string, characters: string])[] = [
  ["'", 'ʹʼˈ‘’′'],
  ['"', 'ʺ“”„\u030e'],
  ['`', 'ˋ‵\u0300'],
  ['^', '˄ˆ\u0302'],
  ['~', '˜\u0303'],
  ['_', 'ˍ\u0331\u0332'],
  ['-', '\xad‐‑–—'],
  [',', '¸‚'],
  ['.', '·•'],
  ['<', '«‹'],
  ['>', '»›'],
  ['!', '¡'],
  ['|', '¦'],
  ['$', '¤'],
  ['A', 'Æ'],
  ['C', '©'],
  ['D', 'ÐĐƉ'],
  ['F', 'Ƒ'],
  ['G', 'Ǥ'],
  ['H', 'Ħ'],
  ['I', 'Ɨ'],
  ['L', 'Ł'],
  ['O', 'ØŒƟ'],
  ['R', '®'],
  ['T', 'ŦƮ'],
  ['Y', '¥'],
  ['a', 'æ'],
  ['b', 'ƀ'],
  ['c', '¢'],
  ['d', 'đ'],
  ['f', 'ƒ'],
  ['g', 'ǥɡ'],
  ['h', 'ħ'],
  ['i', 'ı'],
  ['l', 'łƚ'],
  ['o', 'øœ'],
  ['t', 'ŧƫ'],
  ['z', 'ƶ'],
]

/** Ranges whose characters decompose to ASCII: letters with accents, typesetting, enclosed and full-width forms. */
const decomposed: readonly (readonly [number, number])[] = [
  [0xa0, 0x17f],
  [0x1cd, 0x1f0],
  [0x2000, 0x22ff],
  [0xff01, 0xff5e],
]

const table = new Uint8Array(0x1_0000)
for (let code = 0; code < table.length; code++) table[code] = code & 0xff
for (const [from, to] of decomposed) {
  for (let code = from; code <= to; code++) {
    const base = String.fromCharCode(code).normalize('NFKD').charCodeAt(0)
    if (base < 0x80) table[code] = base
  }
}
for (const [ascii, characters] of fits) {
  for (const character of characters) table[character.charCodeAt(0)] = ascii.charCodeAt(0)
}

/** The byte that a UTF-16 unit becomes. */
export const bestFit = (code: number): number => table[code]!
