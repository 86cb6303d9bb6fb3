import { HpackError } from './hpack-error.ts'

/*
 * The Huffman code of RFC 7541 appendix B. It is canonical: within a length, codes ascend with the symbol, and so the
 * lengths say it all. Symbol 256 is the end of a string, which never stands in one.
 */
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
]
const endOfString = 256
const longest = 30

const codes = new Uint32Array(lengths.length)
{
  let code = 0
  for (let length = 1; length <= longest; length++) {
    for (let symbol = 0; symbol < lengths.length; symbol++)
      if (lengths[symbol] === length) codes[symbol] = code++
    code <<= 1
  }
}

/*
 * Decoding goes four bits at a time from state to state; a state is an inner node of the code's tree. As no code is
 * shorter than five bits, a step gives one symbol at the most. An entry: next state, symbol, and whether there is one.
 */
const hasSymbol = 1 << 24
const isFailure = 1 << 25
const steps: number[] = []
/** Whether a string may end in a state: behind a symbol, with less than eight bits of padding, all ones. */
const accepts: boolean[] = []
{
  const children: number[][] = [[-1, -1]] // >= 0: inner node; < -1: symbol
  const leaf = (symbol: number) => -2 - symbol
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    let node = 0
    for (let bit = lengths[symbol]! - 1; bit > 0; bit--) {
      const side = (codes[symbol]! >>> bit) & 1
      if (children[node]![side] === -1) {
        children[node]![side] = children.length
        children.push([-1, -1])
      }
      node = children[node]![side]!
    }
    children[node]![codes[symbol]! & 1] = leaf(symbol)
  }
  const step = (from: number, bits: number): number => {
    let node = from
    let emitted = 0
    for (let bit = 3; bit >= 0; bit--) {
      const next = children[node]![(bits >> bit) & 1]!
      if (next >= 0) node = next
      else {
        const symbol = -2 - next
        if (symbol === endOfString) return isFailure
        emitted = hasSymbol | (symbol << 12)
        node = 0
      }
    }
    return emitted | node
  }
  for (let node = 0; node < children.length; node++) {
    for (let bits = 0; bits < 16; bits++) steps.push(step(node, bits))
    accepts.push(false)
  }
  for (let node = 0, depth = 0; depth < 8; depth++) {
    accepts[node] = true
    node = children[node]![1]!
  }
}
const table = new Uint32Array(steps)

let decoded = Buffer.allocUnsafeSlow(4_096)

/** Decodes a string into Latin-1 text. Throws HpackError for wrong padding and for an end of string within. */
export function decodeHuffman(bytes: Buffer, start: number, end: number): string {
  const most = Math.floor(((end - start) * 8) / 5) + 1
  if (decoded.length < most) decoded = Buffer.allocUnsafeSlow(most * 2)
  let state = 0
  let length = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    let entry = table[(state << 4) | (byte >> 4)]!
    if (entry & hasSymbol) decoded[length++] = entry >> 12
    state = entry & 0xfff
    if (!(entry & isFailure)) {
      entry = table[(state << 4) | (byte & 0xf)]!
      if (entry & hasSymbol) decoded[length++] = entry >> 12
      state = entry & 0xfff
    }
    if (entry & isFailure) throw new HpackError('the end of a Huffman string within it')
  }
  if (!accepts[state]) throw new HpackError('wrong padding of a Huffman string')
  return decoded.toString('latin1', 0, length)
}

/** Bytes of a Latin-1 text when encoded. */
export function huffmanLength(text: string): number {
  let bits = 0
  for (let index = 0; index < text.length; index++) bits += lengths[text.charCodeAt(index) & 0xff]!
  return (bits + 7) >> 3
}

/** Encodes a Latin-1 text; the target must have room for `huffmanLength` bytes. Returns where it ends. */
export function encodeHuffman(text: string, target: Buffer, start: number): number {
  let at = start
  let bits = 0
  let pending = 0 // fewer than 8 bits wait at any time, so with a code they are at most 37: split below 32
  for (let index = 0; index < text.length; index++) {
    const symbol = text.charCodeAt(index) & 0xff
    let length = lengths[symbol]!
    const code = codes[symbol]!
    while (length > 0) {
      const take = Math.min(length, 8 - bits)
      pending = (pending << take) | ((code >>> (length - take)) & ((1 << take) - 1))
      bits += take
      length -= take
      if (bits === 8) {
        target[at++] = pending
        pending = 0
        bits = 0
      }
    }
  }
  if (bits > 0) target[at++] = (pending << (8 - bits)) | (0xff >> bits)
  return at
}
