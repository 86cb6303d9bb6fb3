import type { Peer } from './peer.ts'
import { type BenchPlugin, gatewayWith } from './peers/gateway.ts'

const unlimited = { limit: 1_000_000, period: 'second' }

/** What most APIs have. */
const ordinarySet = [
  { name: 'correlation-id' },
  { name: 'key-auth' },
  { name: 'rate-limiting', config: { ...unlimited, by: 'consumer', sync: 'cluster' } },
  { name: 'security-headers' },
]

/** Plugins one by one, as they are without more settings than they need. */
const alone: readonly BenchPlugin[] = [
  { name: 'acl', config: { allow: ['bench'] } },
  { name: 'bot-detection' },
  { name: 'compression' },
  { name: 'correlation-id' },
  { name: 'cors', config: { origins: ['https://shop.example.com'] } },
  { name: 'ip-restriction', config: { allow: ['127.0.0.0/8'] } },
  { name: 'key-auth' },
  { name: 'proxy-cache', config: { default_ttl: 3_600 } },
  { name: 'rate-limiting', config: unlimited },
  { name: 'request-size-limiting', config: { allowed_payload_size: 1_000_000 } },
  { name: 'request-transformer', config: { headers: { add: { 'x-client': '{{client.address}}' } } } },
  { name: 'request-validator', config: { parameters: [{ in: 'query', name: 'page' }] } },
  { name: 'response-transformer', config: { headers: { add: { 'x-route': '{{route.name}}' } } } },
  { name: 'security-headers' },
  { name: 'udp-log', config: { host: '127.0.0.1', port: 9 } },
]

export const withoutPlugins = gatewayWith('no plugins', [])

/** The gateway without plugins and with those of an ordinary API. */
export const ordinaryPeers: readonly Peer[] = [withoutPlugins, gatewayWith('ordinary set', ordinarySet)]

/** The gateway with each plugin alone besides. acl asks for who the client is, so key-auth stands before it. */
export const pluginPeers: readonly Peer[] = [
  ...ordinaryPeers,
  ...alone.map((plugin) =>
    gatewayWith(plugin.name, plugin.name === 'acl' ? [{ name: 'key-auth' }, plugin] : [plugin]),
  ),
]
