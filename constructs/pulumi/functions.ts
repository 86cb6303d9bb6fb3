import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { BlockList, isIPv6 } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'

const bytes = (address: string): number[] => {
  if (!isIPv6(address)) return address.split('.').map(Number)
  const [head = '', tail] = address.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':'))
  const [first, last] = [groups(head), groups(tail ?? '')]
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - first.length - last.length }, () => '0')
  return [...first, ...zeros, ...last].flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 255]
  })
}

/** In the form of RFC 5952: Node.js writes addresses so. */
function format(value: bigint, size: number): string {
  const parts = Array.from({ length: size }, (_, index) =>
    Number((value >> BigInt(8 * (size - 1 - index))) & 255n),
  )
  if (size === 4) return parts.join('.')
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((parts[2 * index]! << 8) | parts[2 * index + 1]!).toString(16),
  )
  const list = new BlockList()
  list.addAddress(groups.join(':'), 'ipv6')
  return list.rules[0]!.replace(/^Address: IPv6 /, '')
}

/** https://developer.hashicorp.com/terraform/language/functions/cidrsubnet */
function cidrsubnet(network: string, bits: number, index: number): string {
  const [address = '', prefix = ''] = network.split('/')
  const all = bytes(address)
  const length = Number(prefix) + bits
  const size = all.length * 8
  if (all.some(Number.isNaN) || !/^\d+$/.test(prefix) || length > size) {
    throw new Error(`cidrsubnet: ${bits} bits cannot be added to ${network}`)
  }
  if (index >= 2 ** bits) throw new Error(`cidrsubnet: ${bits} bits have no number ${index}`)
  const value = all.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  const rest = BigInt(size - Number(prefix))
  const start = (value >> rest) << rest
  return `${format(start | (BigInt(index) << BigInt(size - length)), all.length)}/${length}`
}

function one(items: readonly unknown[]): unknown {
  if (items.length > 1) throw new Error(`one: expected a list of at most one, got ${items.length}`)
  return items[0] ?? null
}

type Call = (...values: never[]) => unknown

const known: Readonly<Record<string, Call>> = {
  base64encode: (text: string) => Buffer.from(text).toString('base64'),
  cidrsubnet,
  concat: (...lists: unknown[][]) => lists.flat(),
  element: (list: unknown[], index: number) => list[index % list.length],
  file: (path: string) => readFileSync(path, 'utf8'),
  flatten: (list: unknown[]) => list.flat(Number.POSITIVE_INFINITY),
  join: (separator: string, list: unknown[]) => list.join(separator),
  jsondecode: (text: string) => JSON.parse(text),
  jsonencode: (value: unknown) =>
    JSON.stringify(value).replace(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`),
  length: (value: string | unknown[] | object) =>
    typeof value === 'string' || Array.isArray(value) ? value.length : Object.keys(value).length,
  lower: (text: string) => text.toLowerCase(),
  merge: (...maps: object[]) => Object.assign({}, ...maps),
  one,
  pathexpand: (path: string) => (/^~(\/|$)/.test(path) ? join(homedir(), path.slice(1)) : path),
  sha256: (text: string) => createHash('sha256').update(text).digest('hex'),
  split: (separator: string, text: string) => text.split(separator),
  tolist: (list: unknown[]) => list,
  tonumber: (value: unknown) => Number(value),
  tostring: (value: unknown) => String(value),
  upper: (text: string) => text.toUpperCase(),
}

/** Functions of Terraform by name: what constructs use, and what is common beside it. */
export const functions = known as unknown as Readonly<Record<string, (...values: unknown[]) => unknown>>
