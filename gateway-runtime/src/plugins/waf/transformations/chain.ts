import { createHash } from 'node:crypto'
import { cssDecode, escapeSeqDecode, htmlEntityDecode, jsDecode } from './decoders.ts'
import { normalizePath, normalizePathWin } from './paths.ts'
import * as shapers from './text-shapers.ts'
import { urlDecode, urlDecodeUni, urlEncode } from './url-decode.ts'
import { utf8toUnicode } from './utf8.ts'

/** A transformation of SecLang: latin1 text in, latin1 text out. */
export type Transformation = (text: string) => string

const hash = (algorithm: string) => (text: string) =>
  createHash(algorithm).update(text, 'latin1').digest().toString('latin1')

const byName: Readonly<Record<string, Transformation>> = {
  base64decode: (text) => Buffer.from(text, 'base64').toString('latin1'),
  base64decodeext: (text) => Buffer.from(text, 'base64').toString('latin1'),
  base64encode: (text) => Buffer.from(text, 'latin1').toString('base64'),
  cmdline: shapers.cmdLine,
  compresswhitespace: shapers.compressWhitespace,
  cssdecode: cssDecode,
  escapeseqdecode: escapeSeqDecode,
  hexdecode: (text) => Buffer.from(text, 'hex').toString('latin1'),
  hexencode: (text) => Buffer.from(text, 'latin1').toString('hex'),
  htmlentitydecode: htmlEntityDecode,
  jsdecode: jsDecode,
  length: (text) => String(text.length),
  lowercase: shapers.lowercase,
  md5: hash('md5'),
  normalisepath: normalizePath,
  normalisepathwin: normalizePathWin,
  normalizepath: normalizePath,
  normalizepathwin: normalizePathWin,
  removecomments: shapers.removeComments,
  removecommentschar: shapers.removeCommentsChar,
  removenulls: shapers.removeNulls,
  removewhitespace: shapers.removeWhitespace,
  replacecomments: shapers.replaceComments,
  replacenulls: shapers.replaceNulls,
  sha1: hash('sha1'),
  trim: shapers.trim,
  trimleft: shapers.trimLeft,
  trimright: shapers.trimRight,
  uppercase: shapers.uppercase,
  urldecode: urlDecode,
  urldecodeuni: urlDecodeUni,
  urlencode: urlEncode,
  utf8tounicode: utf8toUnicode,
}

/** One transformation after another. Chains with the same beginning share it: a step's result is kept for all. */
export interface Chain {
  /** Counts up from 0; 0 is the chain that changes nothing. */
  readonly id: number
  readonly before: Chain | undefined
  readonly last: Transformation
}

/** Makes chains, each only once. */
export class ChainRegistry {
  readonly identity: Chain = { id: 0, before: undefined, last: (text) => text }
  readonly #chains = new Map<string, Chain>()

  /** Throws an Error that names the transformation that is not known. */
  chain(names: readonly string[]): Chain {
    let chain = this.identity
    let key = ''
    for (const name of names) {
      const last = byName[name.toLowerCase()]
      if (!last) throw new Error(`the transformation t:${name} is not supported`)
      key += `,${name.toLowerCase()}`
      let next = this.#chains.get(key)
      if (!next) {
        next = { id: this.#chains.size + 1, before: chain, last }
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

/** A value with what its transformations have made of it so far. */
export class TransformedValue {
  readonly raw: string
  readonly #results: (string | undefined)[] = []

  constructor(raw: string) {
    this.raw = raw
  }

  through(chain: Chain): string {
    if (chain.before === undefined) return this.raw
    const known = this.#results[chain.id]
    if (known !== undefined) return known
    const result = chain.last(this.through(chain.before))
    this.#results[chain.id] = result
    return result
  }
}
