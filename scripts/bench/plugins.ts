import { existsSync } from 'node:fs'
import { collectorPort, issuerUrl } from './credentials.ts'
import type { Peer, PeerSetup } from './peer.ts'
import { type BenchPlugin, gatewayWith } from './peers/gateway.ts'
import { nginxCache } from './peers/nginx.ts'

const unlimited = { limit: 1_000_000, period: 'second' }

/** What most APIs have. */
const ordinarySet = [
  { name: 'correlation-id' },
  { name: 'key-auth' },
  { name: 'rate-limiting', config: { ...unlimited, by: 'consumer', sync: 'cluster' } },
  { name: 'security-headers' },
]

const coreRuleSet = '/usr/share/modsecurity-crs'
const upstreamUrl = ({ upstreamPort }: PeerSetup) => `http://127.0.0.1:${upstreamPort}/collect`
const secret = 'a secret of the gateway, which is long enough'

/** What the requests of the benchmark are, as OpenAPI says it. */
const ordersDocument = {
  openapi: '3.1.0',
  info: { title: 'Orders', version: '1' },
  paths: {
    '/orders/{id}': {
      get: {
        parameters: [
          { name: 'id', in: 'path', required: true, schema: { type: 'integer', minimum: 1 } },
          { name: 'page', in: 'query', schema: { type: 'integer', minimum: 1 } },
          { name: 'apikey', in: 'header', schema: { type: 'string', maxLength: 64 } },
        ],
      },
    },
  },
}

/** Plugins one by one, as they are without more settings than they need. */
const alone: readonly BenchPlugin[] = [
  { name: 'acl', config: { allow: ['bench'] } },
  { name: 'basic-auth' },
  { name: 'bot-detection' },
  { name: 'compression' },
  { name: 'concurrency-limiting', config: { limit: 1_000_000 } },
  { name: 'correlation-id' },
  { name: 'cors', config: { origins: ['https://shop.example.com'] } },
  { name: 'file-log', config: ({ directory }) => ({ path: `${directory}/requests.log` }) },
  { name: 'grpc-web' },
  { name: 'hmac-auth', config: { required_components: ['@method', '@path'], max_age: '24h' } },
  { name: 'http-log', config: (setup) => ({ http_endpoint: upstreamUrl(setup) }) },
  { name: 'ip-restriction', config: { allow: ['127.0.0.0/8'] } },
  { name: 'jwt', config: { header_names: ['x-token'] } },
  { name: 'key-auth' },
  {
    name: 'oidc',
    config: async () => ({ issuer: await issuerUrl(), audience: ['bench'], header_names: ['x-oidc-token'] }),
  },
  { name: 'opentelemetry', config: (setup) => ({ endpoint: upstreamUrl(setup) }) },
  { name: 'prometheus' },
  { name: 'rate-limiting', config: unlimited },
  { name: 'request-signing', config: { key_id: 'gateway', algorithm: 'hmac-sha256', secret } },
  { name: 'request-size-limiting', config: { allowed_payload_size: 1_000_000 } },
  { name: 'request-termination', config: { status_code: 200, body: '{"id":17}' } },
  { name: 'request-transformer', config: { headers: { add: { 'x-client': '{{client.address}}' } } } },
  { name: 'request-validator', config: { openapi: ordersDocument } },
  { name: 'response-transformer', config: { headers: { add: { 'x-route': '{{route.name}}' } } } },
  { name: 'security-headers' },
  { name: 'syslog', config: { host: '127.0.0.1', port: 9 } },
  { name: 'tcp-log', config: async () => ({ host: '127.0.0.1', port: await collectorPort() }) },
  { name: 'udp-log', config: { host: '127.0.0.1', port: 9 } },
  { name: 'waf' },
]

/** Why a plugin cannot be measured so. */
const problems: Readonly<Record<string, () => string | undefined>> = {
  waf: () => (existsSync(coreRuleSet) ? undefined : 'it needs the package modsecurity-crs'),
}
const otherwiseMeasured: readonly Peer[] = [
  ['grpc-json', 'its services speak gRPC over HTTP/2, which the upstream does not'],
  ['proxy-cache', 'what stands in Authorization here is not stored; the scenario cache measures hits'],
  ['mtls-auth', 'its clients show certificates in TLS, which the load does not'],
].map(([name, reason]) => gatewayWith(name!, [], () => reason))

export const withoutPlugins = gatewayWith('no plugins', [])

/** The gateway without plugins and with those of an ordinary API. */
export const ordinaryPeers: readonly Peer[] = [withoutPlugins, gatewayWith('ordinary set', ordinarySet)]

/** The gateway with each plugin alone besides. acl asks for who the client is, so key-auth stands before it. */
export const pluginPeers: readonly Peer[] = [
  ...ordinaryPeers,
  ...alone.map((plugin) =>
    gatewayWith(
      plugin.name,
      plugin.name === 'acl' ? [{ name: 'key-auth' }, plugin] : [plugin],
      problems[plugin.name],
    ),
  ),
  ...otherwiseMeasured,
]

/** Caches beside each other: each answers from its own, with nothing else to do. */
export const cachePeers: readonly Peer[] = [
  nginxCache,
  gatewayWith('gateway-cache', [
    { name: 'rate-limiting', config: unlimited },
    { name: 'proxy-cache', config: { default_ttl: 3_600 } },
  ]),
]
