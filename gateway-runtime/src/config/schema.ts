import { z } from 'zod'
import { hasDotSegment, normalizeTarget } from '../data-plane/request-path.ts'
import { acmeSchema } from './acme-settings.ts'
import { adminSchema } from './admin-schema.ts'
import { certificateStoreSchema } from './certificate-store-settings.ts'
import { dnsSchema } from './dns-settings.ts'
import { duration } from './duration.ts'
import { healthChecksSchema } from './health-checks-schema.ts'
import { logExportSchema } from './log-export-schema.ts'
import { parseTemplate } from './path-template.ts'
import { postgresSchema } from './postgres-settings.ts'
import { redisSchema } from './redis-settings.ts'
import { s3Schema } from './s3-settings.ts'

/*
 * The configuration that people write, one zod schema an entity. Entities and fields follow the convention of
 * Kong's declarative format. Every object is strict: an unknown key is an error, never ignored.
 */

const name = z
  .string()
  .regex(/^[A-Za-z0-9._~-]{1,128}$/, 'expected 1 to 128 letters, digits, ".", "_", "~" or "-"')
const port = z.int().min(1).max(65_535)
const host = z.string().min(1).max(253)
const tags = z.array(name).max(64).default([])
const id = z
  .string()
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'expected a UUID in lower case')
  .optional()
  .describe('What programs call it; left out, the admin API derives it from the name.')

/** `host:port`, or `host` with port 80; IPv6 in brackets. */
const targetAddress = z
  .string()
  .regex(/^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/, 'expected host:port, such as 10.0.12.7:8080')
  .refine((text) => Number(/:(\d+)$/.exec(text)?.[1] ?? 80) <= 65_535, 'expected a port from 1 to 65535')

const serviceUrl = z.string().refine((text) => {
  const url = URL.parse(text)
  return (
    url !== null &&
    /^(https?|grpcs?):$/.test(url.protocol) &&
    url.hostname !== '' &&
    !url.username &&
    !url.search
  )
}, 'expected http://, https://, grpc:// or grpcs:// with a host, such as http://10.0.12.7:8080/orders')

/** The path of a PEM file, or its text where a reference such as `${file:}` stood. */
const pem = z.string().min(1).max(1_048_576)

/** A socket that clients connect to. */
export const listenerSchema = z
  .strictObject({
    host: host.default('0.0.0.0').describe('Address to listen on.'),
    port: port.describe('TCP port.'),
    protocol: z.enum(['http', 'https']).default('http'),
    certificate: pem
      .optional()
      .describe(
        'PEM file with the certificate chain, for https: shown where no entry of certificates is for the server name.',
      ),
    key: pem.optional().describe('PEM file with the private key of certificate.'),
    unknown_sni: z
      .enum(['default', 'refuse'])
      .default('default')
      .describe('A client that names a server of no certificate gets the one of the listener, or none.'),
    http2: z
      .boolean()
      .optional()
      .describe(
        'Whether HTTP/2 is spoken: by ALPN on https (there by default), as h2c on http (not by default).',
      ),
    client_certificates: z
      .strictObject({
        ca: pem.describe('PEM file with the authorities that certificates of clients come from.'),
        mode: z
          .enum(['required', 'optional'])
          .default('required')
          .describe(
            'Whether a client without a certificate is refused; one with a wrong certificate always is.',
          ),
      })
      .optional()
      .describe('Asks clients of an https listener for certificates (mTLS).'),
    proxy_protocol: z
      .boolean()
      .default(false)
      .describe(
        'Whether each connection begins with a PROXY header, version 1 or 2; taken from trusted_proxies only.',
      ),
    min_tls_version: z.enum(['1.2', '1.3']).default('1.3').describe('Oldest TLS version that is accepted.'),
  })
  .refine((listener) => (listener.certificate === undefined) === (listener.key === undefined), {
    message: 'certificate and key go together',
  })
  .refine((listener) => listener.protocol === 'https' || !listener.client_certificates, {
    path: ['client_certificates'],
    message: 'client_certificates go with protocol: https',
  })

/** A certificate that https listeners show to clients that ask for one of its hosts (RFC 6066 section 3). */
export const certificateSchema = z.strictObject({
  id,
  name,
  certificate: pem.describe('PEM file with the certificate chain, or its text from a reference.'),
  key: pem.describe('PEM file with the private key, or its text from a reference.'),
  hosts: z
    .array(z.string().regex(/^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/, 'expected a host name or *.domain'))
    .min(1)
    .max(1_024)
    .optional()
    .describe('Server names, `*.example.com` for one label in front; left out: those in the certificate.'),
  tags,
})

/** Where requests of a route are sent. */
export const serviceSchema = z
  .strictObject({
    id,
    name,
    url: serviceUrl
      .optional()
      .describe('Where the service is; its path is put before the path of the request.'),
    upstream: name.optional().describe('Name of an upstream, in place of the host of a url.'),
    host: z
      .string()
      .regex(/^([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])$/, 'expected a host name or address')
      .optional()
      .describe('In place of url: the upstream of this name, or else the host of this name.'),
    port: port.optional().describe('With host, where that is no upstream; 80, with TLS 443.'),
    protocol: z
      .enum(['http', 'https', 'grpc', 'grpcs'])
      .optional()
      .describe('With upstream or host: how targets are spoken to; http.'),
    path: z
      .string()
      .startsWith('/')
      .regex(/^[^?#\s]*$/, 'expected a path such as /orders')
      .optional()
      .describe('With upstream or host: put before the path of the request.'),
    http_version: z
      .enum(['1.1', '2'])
      .optional()
      .describe('Version of HTTP that its targets are spoken to in; 2 for grpc and grpcs, else 1.1.'),
    retries: z.int().min(0).max(10).default(3).describe('How often a failed request is tried again.'),
    connect_timeout: duration.default(5_000).describe('Time to connect to a target.'),
    read_timeout: duration
      .default(60_000)
      .describe('Longest silence of a target while its answer is awaited.'),
    write_timeout: duration
      .default(60_000)
      .describe('Longest time a target may refuse to take more of a body.'),
    try_timeout: duration
      .optional()
      .describe('Time for one attempt, from connecting to the head of the answer; then another may follow.'),
    total_timeout: duration
      .optional()
      .describe('Time for a request with all its attempts, to the end of the answer.'),
    retry_budget: z
      .strictObject({
        percent: z.number().min(0).max(100).default(20).describe('Retries, as a part of the requests.'),
        minimum: z.int().min(0).max(10_000).default(10).describe('Retries that there are in any case.'),
      })
      .prefault({})
      .describe('How many requests may be tried again in ten seconds, by each worker.'),
    tls_verify: z.boolean().default(true).describe('Whether the certificate of an https target is verified.'),
    ca: pem
      .optional()
      .describe(
        'PEM file with the authorities that certificates of targets come from, in place of the public ones.',
      ),
    client_certificate: pem
      .optional()
      .describe('PEM file with the certificate chain that targets are shown (mTLS).'),
    client_key: pem.optional().describe('PEM file with the private key of client_certificate.'),
    proxy_protocol: z
      .enum(['v1', 'v2'])
      .optional()
      .describe(
        'Begins each connection to a target with a PROXY header that says who the client is; connections are then kept for requests of one client address only.',
      ),
    server_name: z
      .string()
      .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/, 'expected a host name')
      .max(253)
      .optional()
      .describe(
        'Name that targets are asked for (SNI) and that their certificate must have; the host of url.',
      ),
    tags,
  })
  .refine(
    ({ url, upstream, host }) => [url, upstream, host].filter((way) => way !== undefined).length === 1,
    {
      message: 'a service needs either url or upstream, or else host',
    },
  )
  .refine((service) => service.url === undefined || (!service.protocol && !service.path), {
    message: 'protocol and path go with upstream or host; a url says both itself',
  })
  .refine((service) => service.port === undefined || service.host !== undefined, {
    path: ['port'],
    message: 'port goes with host',
  })
  .refine(
    ({ client_certificate, client_key }) => (client_certificate === undefined) === (client_key === undefined),
    {
      message: 'client_certificate and client_key go together',
    },
  )
  .refine(
    ({ url, protocol, ca, client_certificate, server_name }) =>
      (ca ?? client_certificate ?? server_name) === undefined ||
      /^(https|grpcs)(:|$)/i.test(url ?? protocol ?? ''),
    { message: 'ca, client_certificate, client_key and server_name go with https or grpcs' },
  )

const matchedValues = z.array(z.string().max(4_096)).min(1).max(1_024)

const cookieName = z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,128}$/, 'expected the name of a cookie')
const headerName = z.string().regex(/^[A-Za-z0-9-]{1,128}$/, 'expected a header name')

const pathTemplate = z
  .string()
  .max(4_096)
  .regex(/^\/(?:(?![?#\\])[\x21-\x7e])*$/, 'expected a path')
  .refine(
    (text) => parseTemplate(text) !== undefined,
    'expected a path with $1, $<name>, $rest or $$ for a dollar sign',
  )
  .refine(
    (text) => !hasDotSegment(text) && !('problem' in normalizeTarget(text)),
    'expected a path without "." and ".." as segments, broken escapes and encoded slashes',
  )

const redirectSchema = z
  .strictObject({
    status: z.union([301, 302, 303, 307, 308].map((status) => z.literal(status))).default(308),
    scheme: z.enum(['http', 'https']).optional(),
    host: z
      .string()
      .regex(/^[A-Za-z0-9._-]+$|^\[[0-9A-Fa-f:]+\]$/, 'expected a host name')
      .optional(),
    port: port.optional().describe('Left out: the usual one, where scheme or host is given.'),
    path: pathTemplate.optional().describe('In place of the path: /v2/$1, /v2/$<id> or /new$rest.'),
    keep_query: z.boolean().default(true),
  })
  .refine(({ scheme, host, port, path }) => scheme ?? host ?? port ?? path, {
    message: 'a redirect needs scheme, host, port or path: without one it leads back to itself',
  })

const splitSchema = z
  .strictObject({
    on: z
      .enum(['none', 'ip', 'header', 'cookie'])
      .default('none')
      .describe('What of a request keeps it with one service; none: each goes where it falls.'),
    header: headerName.optional().describe('With on: header, its name.'),
    cookie: cookieName.optional().describe('With on: cookie, its name; a client without it is given it.'),
    services: z
      .array(z.strictObject({ service: name, percent: z.number().min(0).max(100) }))
      .min(1)
      .max(16)
      .describe("The rest goes to the route's own service."),
  })
  .refine(({ on, header }) => (on === 'header') === (header !== undefined), {
    path: ['header'],
    message: 'on: header needs header, and only that',
  })
  .refine(({ on, cookie }) => (on === 'cookie') === (cookie !== undefined), {
    path: ['cookie'],
    message: 'on: cookie needs cookie, and only that',
  })
  .refine(({ services }) => services.reduce((sum, { percent }) => sum + percent, 0) <= 100, {
    path: ['services'],
    message: 'expected percentages of at most 100 together',
  })
  .refine(({ services }) => new Set(services.map(({ service }) => service)).size === services.length, {
    path: ['services'],
    message: 'expected each service once',
  })

const mirrorSchema = z.strictObject({
  service: name,
  percent: z.number().min(0).max(100).default(100).describe('Part of the requests that are copied.'),
})

/** Which requests go to a service. */
export const routeSchema = z
  .strictObject({
    id,
    name,
    service: name.optional().describe('Name of the service; a route has one, or redirect.'),
    split: splitSchema.optional().describe('Services that get a part of the requests, such as a canary.'),
    mirror: mirrorSchema
      .optional()
      .describe('Service that gets copies of requests; its answers are dropped.'),
    redirect: redirectSchema.optional().describe('Where clients are sent instead.'),
    rewrite: pathTemplate
      .optional()
      .describe('Path that is sent on in place of the own one: /v2/$1, /v2/$<id> or /internal$rest.'),
    paths: z
      .array(
        z
          .string()
          .regex(
            /^(=?\/|~)/,
            'expected "/" for a prefix, "=/" for an exact path or "~" for a regular expression',
          )
          .max(4_096),
      )
      .max(1_024)
      .default([])
      .describe(
        'Path prefixes, matched by whole segments; =/path is that path alone, ~ begins a regular expression.',
      ),
    hosts: z
      .array(
        z
          .string()
          .regex(
            /^(\*\.)?[A-Za-z0-9._-]+$|^\[[0-9A-Fa-f:]+\]$/,
            'expected a host name or *.domain; an international one in its ASCII form, xn--',
          ),
      )
      .max(1_024)
      .default([])
      .describe('Host names; `*.example.com` takes any name below.'),
    methods: z
      .array(z.string().regex(/^[A-Z]+$/, 'expected an upper-case method'))
      .max(32)
      .default([]),
    headers: z
      .record(z.string().regex(/^[A-Za-z0-9-]+$/, 'expected a header name'), matchedValues)
      .default({})
      .describe('Headers a request must have, each with one of the values; ~ begins a regular expression.'),
    query: z
      .record(z.string().min(1).max(1_024), matchedValues)
      .default({})
      .describe('Parameters of the query a request must have, like headers; values are compared decoded.'),
    strip_path: z
      .boolean()
      .default(true)
      .describe('Whether the matched prefix is cut off before it is sent on.'),
    preserve_host: z.boolean().default(false).describe('Whether the target sees the Host of the client.'),
    upgrades: z
      .array(z.string().regex(/^[a-z0-9.+-]{1,32}$/, 'expected a protocol in lower case, such as websocket'))
      .max(16)
      .default(['websocket'])
      .describe('Protocols that a connection may change to, to be a tunnel from then on.'),
    priority: z.int().min(-1_000_000).max(1_000_000).default(0).describe('A higher one is matched first.'),
    tags,
  })
  .refine((route) => (route.service === undefined) !== (route.redirect === undefined), {
    path: ['service'],
    message: 'a route needs either service or redirect',
  })
  .refine((route) => !route.redirect || !(route.split || route.mirror || route.rewrite), {
    path: ['redirect'],
    message: 'split, mirror and rewrite go with service, not with redirect',
  })
  .refine(({ service, split }) => !split?.services.some((share) => share.service === service), {
    path: ['split', 'services'],
    message: "the route's own service has what is left of 100 percent: leave it out here",
  })
  .refine(
    (route) =>
      route.paths.length + route.hosts.length + route.methods.length > 0 ||
      Object.keys(route.headers).length + Object.keys(route.query).length > 0,
    {
      message: 'a route needs at least one of paths, hosts, methods, headers or query',
    },
  )

/** When a target is left alone: after so many failures in a row it is not tried for a while, then with a probe. */
export const circuitBreakerSchema = z.strictObject({
  enabled: z.boolean().default(true),
  consecutive_failures: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(5)
    .describe('Failures in a row that open the circuit.'),
  open_duration: duration
    .default(10_000)
    .describe('How long it stays open before a request may probe the target.'),
})

const hashOn = z.enum(['none', 'ip', 'header', 'cookie', 'path'])

/** A named set of targets that requests are balanced over. */
export const upstreamSchema = z
  .strictObject({
    id,
    name,
    algorithm: z
      .enum(['round-robin', 'least-connections', 'consistent-hashing'])
      .default('round-robin')
      .describe(
        'How a target is chosen: in turn, by the fewest requests in flight, or the same one for the same hash_on.',
      ),
    hash_on: hashOn
      .default('none')
      .describe('What consistent-hashing goes by; a cookie that a client does not have is given to it.'),
    hash_on_header: headerName.optional().describe('With hash_on: header, its name.'),
    hash_on_cookie: cookieName.optional().describe('With a cookie in hash_on or hash_fallback, its name.'),
    hash_on_cookie_path: z
      .string()
      .regex(/^\/[\x21-\x3a\x3c-\x7e]*$/, 'expected a path such as /')
      .default('/')
      .describe('Path of a cookie that the gateway gives.'),
    hash_fallback: hashOn.default('none').describe('What is gone by where hash_on finds nothing.'),
    hash_fallback_header: headerName.optional().describe('With hash_fallback: header, its name.'),
    hash_balance_factor: z
      .number()
      .min(1.05)
      .max(1_000)
      .default(1.25)
      .describe('Times the mean of requests in flight that a target takes before its keys go to the next.'),
    slow_start: duration
      .optional()
      .describe('Time in which a target that is new or well again gets its weight, from a tenth of it.'),
    targets: z
      .array(
        z.strictObject({
          target: targetAddress,
          weight: z.int().min(0).max(65_535).default(100).describe('Share of the requests; 0 gets none.'),
          tags: tags.unwrap().optional(),
        }),
      )
      .max(1_024)
      .describe('Where there are none, requests are answered with 503.'),
    healthchecks: healthChecksSchema.prefault({}),
    circuit_breaker: circuitBreakerSchema.prefault({}),
    tags,
  })
  .refine((upstream) => (upstream.algorithm === 'consistent-hashing') === (upstream.hash_on !== 'none'), {
    path: ['hash_on'],
    message: 'hash_on goes with algorithm: consistent-hashing, and that needs it',
  })
  .refine((upstream) => upstream.hash_fallback === 'none' || upstream.hash_on === 'header', {
    path: ['hash_fallback'],
    message:
      'hash_fallback goes with hash_on: header, which alone a request may lack: a missing cookie is given',
  })
  .refine((upstream) => (upstream.hash_on === 'header') === (upstream.hash_on_header !== undefined), {
    path: ['hash_on_header'],
    message: 'hash_on: header needs hash_on_header, and only that',
  })
  .refine(
    (upstream) => (upstream.hash_fallback === 'header') === (upstream.hash_fallback_header !== undefined),
    {
      path: ['hash_fallback_header'],
      message: 'hash_fallback: header needs hash_fallback_header, and only that',
    },
  )
  .refine(
    ({ hash_on, hash_fallback, hash_on_cookie }) =>
      (hash_on === 'cookie' || hash_fallback === 'cookie') === (hash_on_cookie !== undefined),
    { path: ['hash_on_cookie'], message: 'a hash on a cookie needs hash_on_cookie, and only that' },
  )

/** Who makes requests, with what it is known by. */
export const consumerSchema = z.strictObject({
  id,
  name,
  custom_id: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, 'expected 1 to 256 visible ASCII characters')
    .optional()
    .describe('What another system calls it.'),
  groups: z.array(name).max(256).default([]).describe('Groups that acl lets in or keeps out.'),
  credentials: z
    .record(z.string(), z.array(z.record(z.string(), z.unknown())).max(1_000))
    .default({})
    .describe('By the name of the authentication plugin: what the consumer shows, by its own schema.'),
  tags,
})

/** A policy on the way of a request: the narrowest counts, and a consumer is narrower than a route. */
export const pluginSchema = z
  .strictObject({
    id,
    name,
    service: name.optional().describe('Only for this service.'),
    route: name.optional().describe('Only for this route.'),
    consumer: name.optional().describe('Only for this consumer, once authentication has found who it is.'),
    enabled: z.boolean().default(true),
    config: z
      .record(z.string(), z.unknown())
      .default({})
      .describe('The settings of the plugin, by its own schema.'),
    tags,
  })
  .refine((plugin) => !(plugin.service && plugin.route), {
    message: 'a plugin has a service or a route, not both',
  })

/** Everything a node is told: the content of config.yaml, services.yaml and other files of the folder, as one. */
export const configurationSchema = z.strictObject({
  listeners: z
    .array(listenerSchema)
    .min(1)
    .max(64)
    .default([
      {
        host: '0.0.0.0',
        port: 80,
        protocol: 'http',
        proxy_protocol: false,
        min_tls_version: '1.3',
        unknown_sni: 'default',
      },
    ]),
  admin: adminSchema.prefault({}),
  status: z
    .strictObject({
      host: host.default('0.0.0.0'),
      port: port.default(9_090),
    })
    .prefault({}),
  workers: z
    .union([z.literal('auto'), z.int().min(1).max(256)])
    .default('auto')
    .describe('Worker threads; auto: one a core.'),
  logs: z
    .strictObject({
      directory: z.string().default('/var/log/gateway'),
      rotate_bytes: z
        .int()
        .min(65_536)
        .max(2 ** 40)
        .optional()
        .describe(
          'Size from which on a log is moved to NAME.1, in the place of the one before: for containers, where no logrotate runs. Read when the gateway starts.',
        ),
      export: z
        .array(logExportSchema)
        .max(8)
        .default([])
        .describe('Collectors that both logs are sent to as well.'),
    })
    .prefault({}),
  store: z
    .union([
      z.enum(['files', 'postgres']),
      z
        .string()
        .regex(/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/[^\s?#]{1,1024}$/, 'expected s3://bucket/key'),
    ])
    .default('files')
    .describe(
      'Where entities are kept: in the files of the folder; for all nodes, in Postgres or in an object: s3://bucket/key.',
    ),
  s3: s3Schema.optional().describe('The object store of store: s3://bucket/key.'),
  postgres: postgresSchema.optional().describe('The database of store: postgres.'),
  redis: redisSchema.optional().describe('Redis Cluster that nodes share counters through.'),
  limits: z
    .strictObject({
      header_bytes: z
        .int()
        .min(1_024)
        .max(1_048_576)
        .default(16_384)
        .describe('Head of a request: 431 past it.'),
      header_count: z
        .int()
        .min(8)
        .max(1_000)
        .default(100)
        .describe('Header fields of a request: 431 past it.'),
      uri_bytes: z.int().min(256).max(65_536).default(8_192).describe('Request target: 414 past it.'),
      body_bytes: z.int().min(0).default(104_857_600).describe('Body of a request: 413 past it.'),
      header_timeout: duration
        .default(10_000)
        .describe('Time for a client to send the head of a request: 408.'),
      body_timeout: duration.default(30_000).describe('Longest silence of a client within a body: 408.'),
      body_rate: z
        .int()
        .min(0)
        .max(1_073_741_824)
        .default(240)
        .describe('Bytes a second that a client must send of a body, on average: 408 below.'),
      body_rate_after: duration
        .default(10_000)
        .describe('Time from the first bytes of a body in which it may be slower than that.'),
      idle_timeout: duration
        .default(75_000)
        .describe('Time a connection of a client is kept without a request.'),
      connections: z
        .int()
        .min(1)
        .default(65_536)
        .describe('Connections of clients at once, over all workers.'),
      connection_requests: z
        .int()
        .min(1)
        .default(10_000)
        .describe('Requests on one connection of a client: then it is closed, and load can move elsewhere.'),
      streams: z
        .int()
        .min(1)
        .max(1_000)
        .default(100)
        .describe('Requests at once on one HTTP/2 connection of a client.'),
      event_loop_delay: duration
        .default(200)
        .describe('How late a worker may be with its work: past it, requests are answered with 503 at once.'),
      upstream_connections: z
        .int()
        .min(1)
        .max(65_536)
        .default(1_024)
        .describe('To one target, from one worker: 503 past it.'),
      upstream_idle_connections: z
        .int()
        .min(0)
        .max(65_536)
        .default(256)
        .describe('Kept warm to one target, by one worker.'),
      upstream_idle_timeout: duration.default(55_000).describe('How long a warm connection is kept.'),
      tunnel_idle_timeout: duration
        .default(300_000)
        .describe('Time a tunnel (WebSocket) is kept in which neither side says anything.'),
      health_checks: z
        .int()
        .min(1)
        .max(4_096)
        .default(64)
        .describe('Active checks of targets at once; the others wait.'),
      mirrors: z
        .int()
        .min(0)
        .max(65_536)
        .default(100)
        .describe(
          'Copies of requests under way at once, by each worker, for all routes; past it, none is made.',
        ),
      drain_delay: duration
        .default(0)
        .describe(
          'Time from "not ready" until no more connections are taken when the service stops: as long as a load balancer needs to see it.',
        ),
      drain_timeout: duration.default(30_000).describe('Time for requests in flight when the service stops.'),
    })
    .prefault({}),
  tls: z
    .strictObject({
      handshake_timeout: duration
        .refine((time) => time <= 60_000, 'expected at most 60s')
        .default(10_000)
        .describe('Time for a client to shake hands.'),
      ticket_rotation: duration
        .default(43_200_000)
        .describe(
          'How long one key encrypts the session tickets of all workers; tickets of the key before are not taken.',
        ),
    })
    .prefault({}),
  dns: dnsSchema.prefault({}),
  trusted_proxies: z
    .array(z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()]))
    .default([])
    .describe('Peers whose X-Forwarded-* and X-Request-Id are believed; from others they are replaced.'),
  ambiguous_header_names: z
    .enum(['drop', 'refuse'])
    .default('drop')
    .describe(
      'What becomes of fields that servers could take for others (X_Forwarded_For): dropped, or 400 for the request.',
    ),
  forwarded: z
    .enum(['x-forwarded', 'rfc7239', 'both'])
    .default('x-forwarded')
    .describe(
      'How services are told who the client is: X-Forwarded-For, -Proto and -Host, or Forwarded (RFC 7239), which then is what trusted proxies are believed by.',
    ),
  services: z.array(serviceSchema).default([]),
  routes: z.array(routeSchema).default([]),
  upstreams: z.array(upstreamSchema).default([]),
  consumers: z.array(consumerSchema).default([]),
  plugin_files: z
    .array(z.string().min(1))
    .max(100)
    .default([])
    .describe('Files with plugins of your own, TypeScript or JavaScript: see docs/plugins.'),
  plugins: z.array(pluginSchema).default([]),
  certificates: z.array(certificateSchema).max(10_000).default([]),
  certificate_store: certificateStoreSchema
    .prefault({})
    .describe('Where certificates are kept that are ordered or imported.'),
  acme: acmeSchema.optional().describe('Certificates that the gateway orders and renews itself (RFC 8555).'),
})

export type Configuration = z.output<typeof configurationSchema>
export type Listener = z.output<typeof listenerSchema>
export type Certificate = z.output<typeof certificateSchema>
export type Service = z.output<typeof serviceSchema>
export type Route = z.output<typeof routeSchema>
export type Upstream = z.output<typeof upstreamSchema>
export type Consumer = z.output<typeof consumerSchema>
export type Plugin = z.output<typeof pluginSchema>
export type CircuitBreaker = z.output<typeof circuitBreakerSchema>
export type Limits = Configuration['limits']
export type ForwardedFields = Configuration['forwarded']
export type TlsSettings = Configuration['tls']

/** The collections of entities that have names and can be listed, added and deleted. */
export const entitySchemas = {
  services: serviceSchema,
  routes: routeSchema,
  upstreams: upstreamSchema,
  consumers: consumerSchema,
  plugins: pluginSchema,
  certificates: certificateSchema,
} as const
export type Collection = keyof typeof entitySchemas
