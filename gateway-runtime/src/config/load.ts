import { resolve } from 'node:path'
import { loadPluginFiles } from '../plugins/plugin-files.ts'
import { adminSchema } from './admin-schema.ts'
import { type CheckedValues, checkReferences, entityAt } from './checks.ts'
import { type Problem, ProblemList } from './configuration-error.ts'
import { type FolderContents, readFolder } from './folder.ts'
import { interpolate } from './interpolation.ts'
import { merge } from './merge.ts'
import { checkReachability } from './reachability.ts'
import { type Configuration, certificateSchema, listenerSchema, serviceSchema } from './schema.ts'
import {
  authoritiesProblem,
  certificateHosts,
  pemPath,
  readPem,
  type TlsFiles,
  tlsFileProblems,
} from './tls-files.ts'
import { validateConfiguration } from './validate-configuration.ts'
import type { Path } from './yaml-document.ts'
import { YamlSource } from './yaml-source.ts'

/** A configuration that was read and found right. */
export interface LoadedConfiguration {
  readonly folder: string
  readonly configuration: Configuration
  /** What the files say, with `${env:}` and `${file:}` references unresolved and without defaults, for showing. */
  readonly shown: unknown
  /** What is right, but hardly meant: routes that no request ever comes to. */
  readonly warnings: readonly Problem[]
}

export interface LoadOptions {
  /** Takes these files in place of those of the folder. */
  readonly contents?: FolderContents
  /**
   * Whether certificates and keys are read and checked.
   * @default false
   */
  readonly checkFiles?: boolean
  /**
   * Whether private keys may stand in the texts: those of a database, which no file of a node can be beside.
   * @default false
   */
  readonly keyTexts?: boolean
}

/**
 * Reads and checks the configuration of a folder. Relative paths in it begin at the folder; those of the result are
 * absolute.
 * @throws ConfigurationError with every problem, by file, line and column
 */
export function loadConfiguration(folder: string, options: LoadOptions = {}): LoadedConfiguration {
  const absolute = resolve(folder)
  const contents = options.contents ?? readFolder(folder)
  const problems = new ProblemList([...contents.keys()])
  const sources = [...contents].map(([file, text]) => problems.collect(() => YamlSource.read(file, text)))
  problems.throwIfAny()

  const merged = merge(sources as YamlSource[], problems)
  const report = (path: Path, message: string, at?: 'key' | 'value') =>
    problems.add(() => {
      const entity = entityAt(merged.value, path)
      return { ...merged.place(path, at), message, ...(entity && { entity }) }
    })

  const unresolved = new Set<string>()
  const value = interpolate(merged.value, absolute, (path, message) => {
    unresolved.add(path.join('\0'))
    report(path, message)
  })
  const result = validateConfiguration(value, merged.value)
  if (!result.success) {
    for (const { path, message, at } of result.problems) {
      if (!unresolved.has(path.join('\0'))) report(path, message, at)
    }
  }
  loadPluginFiles(pluginPaths(absolute, value), (index, reason) => report(['plugin_files', index], reason))
  const values: CheckedValues = { value, shown: merged.value, place: merged.place }
  checkReferences(values, problems, { keyTexts: options.keyTexts ?? false })
  if (options.checkFiles) checkTlsFiles(absolute, value, report)
  problems.throwIfAny()
  if (!result.success) throw new Error('a configuration was refused without a problem')
  const warnings = checkReachability(result.data.routes, values, problems)
  problems.throwIfAny()
  const configuration = absolutePaths(absolute, result.data)
  return { folder: absolute, configuration, shown: merged.value, warnings }
}

/** What texts say under `plugin_files`, as it stands there; nothing is read from them or run. */
export function namedPluginFiles(contents: FolderContents): unknown {
  const problems = new ProblemList([...contents.keys()])
  const sources = [...contents].map(([file, text]) => YamlSource.read(file, text))
  const { plugin_files } = merge(sources, problems).value as { readonly plugin_files?: unknown }
  return plugin_files ?? []
}

/** Absolute; what is no path is the schema's to report. */
function pluginPaths(folder: string, value: unknown): string[] {
  const { plugin_files } = value as { readonly plugin_files?: unknown }
  const paths = Array.isArray(plugin_files) ? plugin_files : []
  return paths.map((path) => resolve(folder, String(path)))
}

function checkTlsFiles(folder: string, value: unknown, report: (path: Path, message: string) => void): void {
  const { admin, listeners, certificates, services } = value as Record<string, unknown>
  const check = (path: Path, files: TlsFiles): boolean => {
    const problems = tlsFileProblems(folder, files)
    for (const { key, message } of problems) report([...path, key], message)
    return problems.length === 0
  }
  const checkAuthorities = (path: Path, ca: string | undefined) => {
    const problem = ca === undefined ? undefined : authoritiesProblem(folder, ca)
    if (problem !== undefined) report(path, problem)
  }
  const { data: settings } = adminSchema.safeParse(admin ?? {})
  checkAuthorities(['admin', 'client_ca'], settings?.client_ca)
  if (settings?.certificate && settings.key) {
    check(['admin'], { certificate: settings.certificate, key: settings.key })
  }
  for (const [index, item] of listOf(listeners)) {
    const { data } = listenerSchema.safeParse(item)
    checkAuthorities(['listeners', index, 'client_certificates', 'ca'], data?.client_certificates?.ca)
    if (data?.protocol !== 'https' || !data.certificate || !data.key) continue
    check(['listeners', index], { certificate: data.certificate, key: data.key })
  }
  for (const [index, item] of listOf(services)) {
    const { data } = serviceSchema.safeParse(item)
    checkAuthorities(['services', index, 'ca'], data?.ca)
    if (!data?.client_certificate || !data.client_key) continue
    const files = { certificate: data.client_certificate, key: data.client_key }
    for (const { key, message } of tlsFileProblems(folder, files))
      report(['services', index, `client_${key}`], message)
  }
  for (const [index, item] of listOf(certificates)) {
    const { data } = certificateSchema.safeParse(item)
    if (!data || !check(['certificates', index], data) || data.hosts) continue
    if (certificateHosts(readPem(folder, data.certificate)).length > 0) continue
    report(['certificates', index, 'certificate'], 'this certificate has no DNS name; say hosts')
  }
}

const listOf = (value: unknown): [number, unknown][] => (Array.isArray(value) ? [...value.entries()] : [])

function absolutePaths(folder: string, configuration: Configuration): Configuration {
  return {
    ...configuration,
    plugin_files: configuration.plugin_files.map((path) => resolve(folder, path)),
    logs: {
      ...configuration.logs,
      directory: resolve(folder, configuration.logs.directory),
      export: configuration.logs.export.map((entry) => withPemPaths(folder, entry, ['ca'])),
    },
    admin: withPemPaths(folder, configuration.admin, ['certificate', 'key', 'client_ca']),
    listeners: configuration.listeners.map((listener) => ({
      ...withPemPaths(folder, listener, ['certificate', 'key']),
      ...(listener.client_certificates && {
        client_certificates: withPemPaths(folder, listener.client_certificates, ['ca']),
      }),
    })),
    ...(configuration.acme && {
      acme: {
        ...configuration.acme,
        authorities: configuration.acme.authorities.map((entry) => withPemPaths(folder, entry, ['ca'])),
      },
    }),
    certificates: configuration.certificates.map((entry) =>
      withPemPaths(folder, entry, ['certificate', 'key']),
    ),
    services: configuration.services.map((service) =>
      withPemPaths(folder, service, ['ca', 'client_certificate', 'client_key']),
    ),
  }
}

function withPemPaths<Entry extends object>(
  folder: string,
  entry: Entry,
  keys: readonly (keyof Entry)[],
): Entry {
  const paths = keys.flatMap((key) => {
    const setting = entry[key]
    return typeof setting === 'string' ? [[key, pemPath(folder, setting)] as const] : []
  })
  return paths.length === 0 ? entry : { ...entry, ...Object.fromEntries(paths) }
}
