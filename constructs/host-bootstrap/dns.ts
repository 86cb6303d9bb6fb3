import { isIP } from 'node:net'
import type { HostDescription } from './description.ts'
import { quote } from './shell.ts'

/** Names that lead to addresses, in a zone whose server takes updates (RFC 2136) signed with a key (TSIG, RFC 8945). */
export interface DnsRecords {
  /** IP address of the server. */
  readonly server: string
  /** @default 53 */
  readonly port?: number | undefined
  readonly zone: string
  /** Host names in the zone. */
  readonly names: readonly string[]
  /** What they lead to, IPv4 and IPv6: they get no other addresses. */
  readonly addresses: readonly string[]
  /**
   * Seconds that others may keep them.
   * @default 60
   */
  readonly ttl?: number | undefined
  /** Name of the key; its secret is the secret `dns-key`, in base64. */
  readonly keyName: string
  /** @default 'hmac-sha256' */
  readonly keyAlgorithm?: string | undefined
}

export const dnsSecret = 'dns-key'

const isName = (text: string) =>
  text.length <= 253 &&
  /^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)

/** All that is wrong with the records, one sentence each. */
export function dnsProblems({ server, zone, names, addresses, keyName, keyAlgorithm }: DnsRecords): string[] {
  const required: [boolean, string][] = [
    [isIP(server) !== 0, `dns.server: expected an IP address, got ${JSON.stringify(server)}`],
    [isName(zone), `dns.zone: expected a name such as example.com, got ${JSON.stringify(zone)}`],
    [isName(keyName), `dns.key.name: expected a name such as gateway, got ${JSON.stringify(keyName)}`],
    [
      keyAlgorithm === undefined || /^hmac-sha(256|384|512)$/.test(keyAlgorithm),
      `dns.key.algorithm: expected hmac-sha256, hmac-sha384 or hmac-sha512, got ${JSON.stringify(keyAlgorithm)}`,
    ],
    [addresses.length > 0, 'dns: expected addresses that names lead to, got none'],
    ...names.map((name): [boolean, string] => [
      isName(name) && (name === zone || name.endsWith(`.${zone}`)),
      `dns.names: expected a name in ${zone}, got ${JSON.stringify(name)}`,
    ]),
  ]
  return required.filter(([holds]) => !holds).map(([, problem]) => problem)
}

/**
 * Bash that lets names lead to the addresses, where they do not; the key stays on the host, for who takes the records
 * away again. Needs \`secret\`, \`say\`, \`fail\`, \`will_change\` and \`$state\`.
 */
export function updateDns({ dns }: Pick<HostDescription, 'dns'>): string[] {
  if (!dns) return []
  const { server, port = 53, zone, names, addresses, ttl = 60, keyName, keyAlgorithm = 'hmac-sha256' } = dns
  const typeOf = (address: string) => (isIP(address) === 6 ? 'AAAA' : 'A')
  const head = [`server ${server} ${port}`, `zone ${zone}`]
  const lines = names.flatMap((name) => [
    ...['A', 'AAAA'].map((type) => `update delete ${name} ${type}`),
    ...addresses.map((address) => `update add ${name} ${ttl} ${typeOf(address)} ${address}`),
  ])
  const leave = names.flatMap((name) => ['A', 'AAAA'].map((type) => `update delete ${name} ${type}`))
  const text = (commands: readonly string[]) => quote([...head, ...commands, 'send', ''].join('\n'))
  return [
    `say 'dns'
(umask 077 && printf 'key "%s" { algorithm %s; secret "%s"; };\\n' ${keyName} ${keyAlgorithm} "$(secret ${dnsSecret})" >"$state/dns.key")
(umask 077 && printf '%s' ${text(leave)} >"$state/dns.leave")
dns_now() { # NAME → its addresses, as the server has them
  for type in A AAAA; do
    dig +short +norecurse +time=3 +tries=2 @${server} -p ${port} "$1" $type || fail 'the DNS server ${server} does not answer: is it up, and does it let this host in?'
  done | sort
}
for name in ${names.join(' ')}; do
  now=$(dns_now "$name") || exit
  if [ "$now" != ${quote([...addresses].sort().join('\n'))} ]; then
    will_change
    printf '%s' ${text(lines)} | nsupdate -t 10 -k "$state/dns.key" || fail 'the DNS server ${server} refused the update (see above): may the key ${keyName} change ${zone}?'
    say 'the names lead here: ${names.join(', ')}'
    break
  fi
done`,
  ]
}
