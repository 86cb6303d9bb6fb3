import { createHash } from 'node:crypto'
import { type ByteSet, bytesOf } from '../regex/byte-set.ts'
import { remembering } from '../remembering.ts'
import { cssDecode, escapeSeqDecode, htmlEntityDecode, jsDecode } from './decoders.ts'
import { normalizePath, normalizePathWin } from './paths.ts'
import * as shapers from './text-shapers.ts'
import { urlDecode, urlDecodeUni, urlEncode } from './url-decode.ts'
import { utf8toUnicode } from './utf8.ts'

/** A transformation of SecLang: latin1 text in, latin1 text out. */
export type Transformation = (text: string) => string

const hash = (algorithm: string) =>
  remembering((text: string) => createHash(algorithm).update(text, 'latin1').digest().toString('latin1'))

/** A transformation, and the bytes without which it leaves a text as it is; undefined: it leaves none. */
interface Definition {
  readonly transform: Transformation
  readonly changes: ByteSet | undefined
}

const always = (transform: Transformation): Definition => ({ transform, changes: undefined })
const on = (transform: Transformation, changes: ByteSet): Definition => ({ transform, changes })
const spaces = bytesOf(' \t\n\v\f\r')
const upper = [0x41, 0x5a] as const

const byName: Readonly<Record<string, Definition>> = {
  base64decode: always((text) => Buffer.from(text, 'base64').toString('latin1')),
  base64decodeext: always((text) => Buffer.from(text, 'base64').toString('latin1')),
  base64encode: always((text) => Buffer.from(text, 'latin1').toString('base64')),
  cmdline: on(shapers.cmdLine, bytesOf('"\'\\^ ,;\t\r\n', upper)),
  compresswhitespace: on(shapers.compressWhitespace, spaces),
  cssdecode: on(cssDecode, bytesOf('\\')),
  escapeseqdecode: on(escapeSeqDecode, bytesOf('\\')),
  hexdecode: always((text) => Buffer.from(text, 'hex').toString('latin1')),
  hexencode: always((text) => Buffer.from(text, 'latin1').toString('hex')),
  htmlentitydecode: on(htmlEntityDecode, bytesOf('&')),
  jsdecode: on(jsDecode, bytesOf('\\')),
  length: always((text) => String(text.length)),
  lowercase: on(shapers.lowercase, bytesOf('', upper)),
  md5: always(hash('md5')),
  normalisepath: on(normalizePath, bytesOf('/.')),
  normalisepathwin: on(normalizePathWin, bytesOf('\\/.')),
  normalizepath: on(normalizePath, bytesOf('/.')),
  normalizepathwin: on(normalizePathWin, bytesOf('\\/.')),
  removecomments: on(shapers.removeComments, bytesOf('/<-#')),
  removecommentschar: on(shapers.removeCommentsChar, bytesOf('/*<-#')),
  removenulls: on(shapers.removeNulls, bytesOf('\0')),
  removewhitespace: on(shapers.removeWhitespace, bytesOf(' \t\n\v\f\r\xa0\xc2')),
  replacecomments: on(shapers.replaceComments, bytesOf('/')),
  replacenulls: on(shapers.replaceNulls, bytesOf('\0')),
  sha1: always(hash('sha1')),
  trim: on(shapers.trim, spaces),
  trimleft: on(shapers.trimLeft, spaces),
  trimright: on(shapers.trimRight, spaces),
  uppercase: on(shapers.uppercase, bytesOf('', [0x61, 0x7a])),
  urldecode: on(urlDecode, bytesOf('%+')),
  urldecodeuni: on(urlDecodeUni, bytesOf('%+')),
  urlencode: always(urlEncode),
  utf8tounicode: on(utf8toUnicode, bytesOf('', [0x80, 0xff])),
}

/** The names of all transformations. */
export const transformationNames: readonly string[] = Object.keys(byName)

/** For each byte a bit for each transformation that it has change a text; the highest stands for those that do anyway. */
const anyway = 1 << 31
const bitsOf = new Map<string, number>()
const wakes = new Int32Array(256)
for (const [name, { changes }] of Object.entries(byName)) {
  if (!changes) continue
  const bit = 1 << bitsOf.size
  bitsOf.set(name, bit)
  for (let byte = 0; byte < 256; byte++) if (changes[byte]) wakes[byte]! |= bit
}

function wokenBy(text: string): number {
  let bits = anyway
  for (let i = 0; i < text.length; i++) bits |= wakes[text.charCodeAt(i) & 0xff]!
  return bits
}

/** One transformation after another. Chains with the same beginning share it: a step's result is kept for all. */
export interface Chain {
  /** Counts up from 0; 0 is the chain that changes nothing. */
  readonly id: number
  readonly before: Chain | undefined
  readonly last: Transformation
  /** Bits of its transformations. */
  readonly bits: number
}

/** Makes chains, each only once. */
export class ChainRegistry {
  readonly identity: Chain = { id: 0, before: undefined, last: (text) => text, bits: 0 }
  readonly #chains = new Map<string, Chain>()

  /** Throws an Error that names the transformation that is not known. */
  chain(names: readonly string[]): Chain {
    let chain = this.identity
    let key = ''
    for (const name of names) {
      const last = byName[name.toLowerCase()]?.transform
      if (!last) throw new Error(`the transformation t:${name} is not supported`)
      key += `,${name.toLowerCase()}`
      let next = this.#chains.get(key)
      if (!next) {
        const bits = chain.bits | (bitsOf.get(name.toLowerCase()) ?? anyway)
        next = { id: this.#chains.size + 1, before: chain, last, bits }
        this.#chains.set(key, next)
      }
      chain = next
    }
    return chain
  }

  get size(): number {
    return this.#chains.size + 1
  }
}

/** A value with what its transformations have made of it so far, and what was found out of that. */
export class TransformedValue {
  readonly raw: string
  /** Bits of the transformations that can change it. */
  #woken: number | undefined
  readonly #results: (string | undefined)[] = []
  readonly #answers: {
    readonly ask: (text: string) => unknown
    readonly text: string
    readonly answer: unknown
  }[] = []

  constructor(raw: string) {
    this.raw = raw
  }

  through(chain: Chain): string {
    if (chain.before === undefined) return this.raw
    this.#woken ??= wokenBy(this.raw)
    if ((chain.bits & this.#woken) === 0) return this.raw
    const known = this.#results[chain.id]
    if (known !== undefined) return known
    const result = chain.last(this.through(chain.before))
    this.#results[chain.id] = result
    return result
  }

  /** What a pure function says of a text that a chain has made. Most chains make the same. */
  answer<Answer>(ask: (text: string) => Answer, text: string): Answer {
    for (const known of this.#answers) {
      if (known.text === text && known.ask === ask) return known.answer as Answer
    }
    const answer = ask(text)
    this.#answers.push({ ask, text, answer })
    return answer
  }
}
