import { isIP, isIPv4 } from 'node:net'
import type { Exchange } from './exchange.ts'

/*
 * The Forwarded field (RFC 7239).
 */

const token = "[\\w!#$%&'*+.^`|~-]+"
const part = new RegExp(`[ \\t]*(?:(${token})=(?:(${token})|"((?:[^"\\\\]|\\\\.)*)"))?[ \\t]*([,;]|$)`, 'y')

/** What the gateway adds to the field: who has connected to it, and what was asked for. */
export function forwardedElement({ facts, head }: Exchange): string {
  const { peerAddress, scheme } = facts
  const node = isIPv4(peerAddress) ? peerAddress : `"[${peerAddress}]"`
  return `for=${node};host="${head.authority.replace(/["\\]/g, '\\$&')}";proto=${scheme}`
}

/**
 * The node that each element of a field names as `for`, '' where it names none; undefined where the field is not what
 * RFC 7239 section 4 says. Such a field is not passed on: a quote that is not closed would swallow what is added.
 */
export function forwardedNodes(value: string): string[] | undefined {
  const nodes = ['']
  part.lastIndex = 0
  for (;;) {
    const match = part.exec(value)
    if (!match) return undefined
    const [, name, plain, quoted, end] = match
    if (name?.toLowerCase() === 'for') nodes[nodes.length - 1] = plain ?? quoted!.replace(/\\(.)/g, '$1')
    if (end === '') return nodes
    if (end === ',') nodes.push('')
  }
}

/** The addresses of the nodes of all fields, in their order; `unknown` for what is none, or hidden. */
export const forwardedAddresses = (values: readonly string[]): string[] =>
  values.flatMap((value) => (forwardedNodes(value) ?? ['']).map(addressOfNode))

function addressOfNode(node: string): string {
  const address = node.replace(/^\[(.*)\](:[\w.-]+)?$/, '$1').replace(/^([\d.]+):[\w.-]+$/, '$1')
  return isIP(address) ? address : 'unknown'
}
