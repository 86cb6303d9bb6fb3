/** How a plugin is tried: two configurations, and what a plain GET of nobody in particular gets with the first. */
export interface PluginCase {
  readonly first: object
  readonly second: object
  /** 200 where left out. */
  readonly status?: number
}

/** What plugins need to talk to. */
export interface CaseSurroundings {
  /** A folder of their own, with `rules.conf` for the firewall and `echo.binpb` for grpc-json. */
  readonly folder: string
  readonly collectorUrl: string
  readonly tcpPort: number
  readonly udpPort: number
  readonly issuerUrl: string
}

const secret = 'a secret of the gateway, long enough for that'

/** A case for each plugin that there is. */
export const pluginCases = (on: CaseSurroundings): Readonly<Record<string, PluginCase>> => {
  const soon = { flush_interval: 10 }
  const tcp = { ...soon, host: '127.0.0.1', port: on.tcpPort }
  const udp = { ...soon, host: '127.0.0.1', port: on.udpPort }
  const refuses = (status: number, first: object, second: object): PluginCase => ({ first, second, status })
  const passes = (first: object, second: object): PluginCase => ({ first, second })
  return {
    'rate-limiting': passes({ limit: 1_000, period: 'day' }, { limit: 2_000, period: 'day' }),
    'concurrency-limiting': passes({ limit: 100 }, { limit: 200 }),
    'key-auth': refuses(401, {}, { key_names: ['other'] }),
    'basic-auth': refuses(401, {}, { realm: 'other' }),
    'hmac-auth': refuses(401, {}, { nonce: 'required' }),
    jwt: refuses(401, {}, { realm: 'other' }),
    oidc: refuses(401, { issuer: on.issuerUrl }, { issuer: on.issuerUrl, realm: 'other' }),
    'mtls-auth': refuses(401, {}, { by: ['san'] }),
    'proxy-cache': passes({ memory: 1_048_576 }, { memory: 1_048_576, default_ttl: 1 }),
    'request-signing': passes(
      { key_id: 'gateway', algorithm: 'hmac-sha256', secret },
      { key_id: 'other', algorithm: 'hmac-sha256', secret },
    ),
    acl: refuses(403, { allow: ['staff'] }, { deny: ['staff'] }),
    'ip-restriction': refuses(403, { deny: ['127.0.0.0/8'] }, { allow: ['127.0.0.0/8'] }),
    'file-log': passes({ ...soon, path: `${on.folder}/requests.log` }, { path: `${on.folder}/other.log` }),
    'http-log': passes(
      { ...soon, http_endpoint: on.collectorUrl },
      { http_endpoint: on.collectorUrl, method: 'PUT' },
    ),
    'tcp-log': passes(tcp, { ...tcp, timeout: 1_000 }),
    'udp-log': passes(udp, { ...udp, queue_bytes: 65_536 }),
    syslog: passes(udp, { ...udp, facility: 'local1' }),
    opentelemetry: passes(
      { endpoint: on.collectorUrl, sampling_rate: 0 },
      { endpoint: on.collectorUrl, sampling_rate: 0, detailed: true },
    ),
    prometheus: passes({}, { code: 'exact' }),
    'grpc-web': passes({}, { text_body_bytes: 1_000 }),
    'grpc-json': refuses(
      404,
      { descriptor_set: `${on.folder}/echo.binpb` },
      { descriptor_set: `${on.folder}/echo.binpb`, emit_defaults: true },
    ),
    'bot-detection': passes({}, { deny: ['node'] }),
    compression: passes({}, { level: 'fast' }),
    'correlation-id': passes({}, { header_name: 'x-other' }),
    cors: passes({ origins: ['https://shop.example.com'] }, { origins: ['*'] }),
    'request-size-limiting': passes({ allowed_payload_size: 1_000 }, { allowed_payload_size: 2_000 }),
    'request-termination': refuses(418, { status_code: 418 }, { status_code: 503 }),
    'request-transformer': passes({ headers: { add: { 'x-a': '1' } } }, { headers: { add: { 'x-a': '2' } } }),
    'request-validator': refuses(
      400,
      { parameters: [{ in: 'query', name: 'page', required: true }] },
      { parameters: [{ in: 'query', name: 'page' }] },
    ),
    'response-transformer': passes(
      { headers: { add: { 'x-a': '1' } } },
      { headers: { add: { 'x-a': '2' } } },
    ),
    'security-headers': passes({}, { frame_options: 'SAMEORIGIN' }),
    waf: passes({ rules: on.folder }, { rules: on.folder, mode: 'detect' }),
  }
}
