/**
 * What stands for a client's address in a count: an IPv4 address itself, of an IPv6 address the first 64 bits, which
 * one customer commonly has all of (RFC 6177).
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail ? tail.split(':') : []
  // An address that ends in dotted decimals has one group more than colons show.
  const last = back.at(-1) ?? front.at(-1) ?? ''
  const missing = tail === undefined ? 0 : 8 - front.length - back.length - Number(last.includes('.'))
  const groups = [...front, ...Array<string>(Math.max(missing, 0)).fill('0'), ...back]
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}
