import { basicAuth } from './authentication/basic-auth.ts'
import { hmacAuth } from './authentication/hmac-auth.ts'
import { jwt } from './authentication/jwt.ts'
import { keyAuth } from './authentication/key-auth.ts'
import { mtlsAuth } from './authentication/mtls-auth.ts'
import { oidc } from './authentication/oidc.ts'
import { requestSigning } from './authentication/request-signing.ts'
import { acl } from './authorization/acl.ts'
import { ipRestriction } from './authorization/ip-restriction.ts'
import { concurrencyLimiting } from './concurrency-limiting/concurrency-limiting.ts'
import type { PluginDefinition } from './contract.ts'
import { grpcJson } from './grpc/grpc-json.ts'
import { grpcWeb } from './grpc/grpc-web.ts'
import { fileLog } from './logging/file-log.ts'
import { httpLog } from './logging/http-log.ts'
import { syslog, tcpLog, udpLog } from './logging/socket-logs.ts'
import { prometheus } from './metrics/prometheus.ts'
import { proxyCache } from './proxy-cache/proxy-cache.ts'
import { rateLimiting } from './rate-limiting/rate-limiting.ts'
import { botDetection } from './request-response/bot-detection.ts'
import { compression } from './request-response/compression.ts'
import { correlationId } from './request-response/correlation-id.ts'
import { cors } from './request-response/cors.ts'
import { requestSizeLimiting } from './request-response/request-size-limiting.ts'
import { requestTermination } from './request-response/request-termination.ts'
import { requestTransformer } from './request-response/request-transformer.ts'
import { requestValidator } from './request-response/request-validator/request-validator.ts'
import { responseTransformer } from './request-response/response-transformer.ts'
import { securityHeaders } from './request-response/security-headers.ts'
import { opentelemetry } from './tracing/opentelemetry.ts'
import { waf } from './waf/waf.ts'

// A plugin is typed by its own schema; seen from outside, its configuration is what that schema has parsed.
const ownPlugins = [
  rateLimiting,
  concurrencyLimiting,
  keyAuth,
  proxyCache,
  basicAuth,
  hmacAuth,
  jwt,
  oidc,
  mtlsAuth,
  requestSigning,
  acl,
  ipRestriction,
  fileLog,
  httpLog,
  tcpLog,
  udpLog,
  syslog,
  opentelemetry,
  prometheus,
  grpcWeb,
  grpcJson,
  botDetection,
  compression,
  correlationId,
  cors,
  requestSizeLimiting,
  requestTermination,
  requestTransformer,
  requestValidator,
  responseTransformer,
  securityHeaders,
  waf,
] as unknown as readonly PluginDefinition[]

const known = new Map(ownPlugins.map((plugin) => [plugin.name, plugin]))
const files = new Map<string, PluginFile>()

/** A file with a plugin of a user's own. */
export interface PluginFile {
  /** Absolute. */
  readonly path: string
  /** SHA-256 of its text, hexadecimal. */
  readonly hash: string
}

/** Every plugin that a configuration can name. */
export const plugins: ReadonlyMap<string, PluginDefinition> = known

/** Makes a plugin of a user's own known, in the place of one that the same file held before. */
export function registerPlugin(definition: PluginDefinition, file: PluginFile): void {
  const { name } = definition
  const other = files.get(name)
  if (known.has(name) && other?.path !== file.path)
    throw new Error(`there is a plugin called ${name} already, in ${other?.path ?? 'the gateway itself'}`)
  known.set(name, definition)
  files.set(name, file)
}

/** The files of these paths, as far as they are known. */
export const pluginFilesOf = (paths: readonly string[]): PluginFile[] =>
  [...files.values()].filter(({ path }) => paths.includes(path))

/** Of the code of a plugin: another one is another plugin, whatever its configuration. '' for the gateway's own. */
export const pluginCodeHash = (name: string): string => files.get(name)?.hash ?? ''
