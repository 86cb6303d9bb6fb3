import type { PluginFile } from '../plugins/registry.ts'
import type { Dns } from './dns-settings.ts'
import type { TemplatePart } from './path-template.ts'
import type { Certificate, CircuitBreaker, ForwardedFields, Limits, Listener, TlsSettings } from './schema.ts'

/*
 * What a configuration is compiled to: plain, frozen data that the control plane sends to every worker by
 * structured clone. All references are resolved; nothing in it needs a look-up by name on the request path.
 */

/** One address of an upstream. `id` is stable over reloads (`upstream/host:port`): shared state is kept by it. */
export interface Target {
  readonly id: string
  readonly host: string
  readonly port: number
  readonly weight: number
}

/** What of a request consistent hashing goes by. Header names are in lower case. */
export type HashSource =
  | { readonly kind: 'none' | 'ip' | 'path' }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string; readonly path: string }

/** How requests are spread over targets. */
export interface Balancing {
  readonly algorithm: 'round-robin' | 'least-connections' | 'consistent-hashing'
  readonly hashOn: HashSource
  readonly hashFallback: HashSource
  /** How much of the mean load a target takes before its keys go on to the next. */
  readonly hashBalanceFactor: number
  /** Milliseconds in which a target that is new or well again gets its weight; 0: at once. */
  readonly slowStart: number
  /** Percent of healthy targets below which health is ignored. */
  readonly panicThreshold: number
}

interface CheckSchedule {
  /** Milliseconds from the beginning of one check of a target to the beginning of the next. */
  readonly interval: number
  /** Milliseconds that a check may take. */
  readonly timeout: number
  /** Failures, or successes, in a row that change what is thought of a target. */
  readonly unhealthyAfter: number
  readonly healthyAfter: number
}

interface CheckedOverHttp {
  readonly tls: boolean
  readonly tlsVerify: boolean
  /** Host and server name; undefined: the target's own address. */
  readonly host: string | undefined
}

export interface HttpCheck extends CheckedOverHttp {
  readonly type: 'http'
  readonly path: string
  readonly expectedStatuses: readonly { readonly from: number; readonly to: number }[]
}

/** `service`: '' for the server as a whole. */
export interface GrpcCheck extends CheckedOverHttp {
  readonly type: 'grpc'
  readonly service: string
}

/** What the control plane asks the targets of an upstream, and when. */
export type ActiveCheck = CheckSchedule & (HttpCheck | GrpcCheck | { readonly type: 'tcp' })

/** When a target is ejected: left alone for a while because of how it answers requests. */
export interface PassiveCheck {
  /** Percent of failures from which it is, and the requests without which nothing is concluded. */
  readonly failurePercent: number
  readonly minimumRequests: number
  /** Milliseconds that are looked back on. */
  readonly window: number
  /** Milliseconds for the first time; so many times that for further ones in a row. */
  readonly ejectionTime: number
  /** Percent of targets that may be ejected at once. */
  readonly maxEjectedPercent: number
}

export interface CompiledUpstream {
  readonly name: string
  readonly targets: readonly Target[]
  readonly balancing: Balancing
  /** Undefined: targets are not checked. */
  readonly activeCheck: ActiveCheck | undefined
  /** Undefined: nothing is concluded from how requests end. */
  readonly passiveCheck: PassiveCheck | undefined
  readonly circuitBreaker: CircuitBreaker
}

/** How targets are spoken to over TLS; certificates and the key are paths or PEM texts. */
export interface CompiledTls {
  readonly verify: boolean
  readonly ca: string | undefined
  readonly clientCertificate: string | undefined
  readonly clientKey: string | undefined
  readonly serverName: string | undefined
}

export interface CompiledService {
  readonly name: string
  readonly upstream: CompiledUpstream
  /** Undefined: in clear. */
  readonly tls: CompiledTls | undefined
  readonly http2: boolean
  /** Version of the PROXY header that a connection to a target begins with. */
  readonly proxyProtocol: 'v1' | 'v2' | undefined
  /** Put before the path that is sent on; without a slash at its end; '' for none. */
  readonly path: string
  /** What the target sees as Host unless the route preserves the client's: host, with a port that is not the default. */
  readonly hostHeader: string | undefined
  readonly retries: number
  readonly connectTimeout: number
  readonly readTimeout: number
  readonly writeTimeout: number
  readonly tryTimeout: number | undefined
  readonly totalTimeout: number | undefined
  readonly retryBudget: { readonly percent: number; readonly minimum: number }
}

/** A plugin on a route. */
export interface CompiledPlugin {
  /** Scope and name: stable over reloads. */
  readonly id: string
  /** Equal as long as id and configuration are: what plugins keep is kept by it. */
  readonly key: string
  readonly name: string
  readonly order: number
  /** Parsed by the schema of the plugin. */
  readonly config: unknown
}

/** A plugin that stands for a consumer, on its way to one route or service or to any. */
export interface ConsumerPlugin {
  readonly name: string
  readonly route: string | undefined
  readonly service: string | undefined
  /** Undefined: switched off. */
  readonly plugin: CompiledPlugin | undefined
}

export interface CompiledConsumer {
  readonly name: string
  readonly customId: string | undefined
  readonly groups: readonly string[]
  /** By plugin; `key` is that of its credential type. */
  readonly credentials: Readonly<Record<string, readonly CompiledCredential[]>>
  /** The broadest first. */
  readonly plugins: readonly ConsumerPlugin[]
}

export interface CompiledCredential {
  readonly key: string
  /** As the schema of the credential has it: sealed where it is a secret that need not be known. */
  readonly value: unknown
}

export type PathMatcher =
  | { readonly kind: 'exact' | 'prefix'; readonly path: string }
  | { readonly kind: 'regex'; readonly source: string }

/** A header or a parameter of the query, which must be there with one of the values or match one of the patterns. */
export interface ValueMatcher {
  /** Of a header in lower case. */
  readonly name: string
  readonly values: readonly string[]
  /** Sources of regular expressions; each matches from the beginning of the value. */
  readonly patterns: readonly string[]
}

/** Where requests of a route go instead. What is undefined stays as it is in the request. */
export interface CompiledRedirect {
  readonly status: number
  readonly scheme: 'http' | 'https' | undefined
  readonly host: string | undefined
  readonly port: number | undefined
  readonly path: readonly TemplatePart[] | undefined
  readonly keepQuery: boolean
}

/** Percentages of all services of a route, its own among them. */
export interface CompiledSplit {
  readonly on: HashSource
  readonly services: readonly { readonly service: CompiledService; readonly percent: number }[]
}

/** A route leads to a service or elsewhere. */
export type RouteDestination =
  | {
      readonly service: CompiledService
      readonly split: CompiledSplit | undefined
      readonly mirror: { readonly service: CompiledService; readonly percent: number } | undefined
      /** What is sent on in place of the path. */
      readonly rewrite: readonly TemplatePart[] | undefined
      readonly redirect: undefined
    }
  | {
      readonly service: undefined
      readonly split: undefined
      readonly mirror: undefined
      readonly rewrite: undefined
      readonly redirect: CompiledRedirect
    }

export type CompiledRoute = RouteSettings & RouteDestination

export interface RouteSettings {
  readonly name: string
  /** Empty: any path. */
  readonly paths: readonly PathMatcher[]
  /** Lower-case; empty: any host. */
  readonly hosts: readonly string[]
  /** Empty: any method. */
  readonly methods: readonly string[]
  /** All of them must be met. */
  readonly headers: readonly ValueMatcher[]
  /** Of a parameter that is there several times, the first value counts. */
  readonly query: readonly ValueMatcher[]
  readonly stripPath: boolean
  readonly preserveHost: boolean
  /** Protocols that a connection may change to; lower-case. */
  readonly upgrades: readonly string[]
  readonly priority: number
  /** In the order in which they see a request. */
  readonly plugins: readonly CompiledPlugin[]
}

export interface Snapshot {
  /** SHA-256 of the configuration, hexadecimal: equal content, equal version. */
  readonly version: string
  readonly listeners: readonly Listener[]
  readonly certificates: readonly Certificate[]
  readonly tls: TlsSettings
  readonly limits: Limits
  readonly dns: Dns
  readonly trustedProxies: readonly string[]
  readonly forwarded: ForwardedFields
  readonly refusesAmbiguousNames: boolean
  readonly routes: readonly CompiledRoute[]
  readonly upstreams: readonly CompiledUpstream[]
  readonly consumers: readonly CompiledConsumer[]
  readonly pluginFiles: readonly PluginFile[]
  /** Plugins that see requests which no route matched: the global ones. */
  readonly globalPlugins: readonly CompiledPlugin[]
}
