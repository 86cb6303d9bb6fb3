import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire, registerHooks } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { PluginDefinition } from './contract.ts'
import * as api from './plugin-api.ts'
import { type PluginFile, registerPlugin } from './registry.ts'

/*
 * Plugins of users: a file of TypeScript (types that can be erased) or JavaScript, whose default export is what
 * `definePlugin` returns. Node.js reads it as it is. A file that has changed is another module, so that a reload
 * takes it up; what runs goes on with the one before.
 */

const apiName = '@gatehouse/gateway-runtime/plugin'
const apiUrl = 'gatehouse:plugin-api'
const filePrefix = 'gatehouse-plugin:'
const exposed = Symbol.for('gatehouse.plugin-api')
const mostBytes = 16_777_216

let isHooked = false
const definitions = new Map<string, PluginDefinition>()

/**
 * Makes the plugins of these files known. Returns each with its hash. Calls `report` with the index of a file that
 * holds none, and why.
 */
export function loadPluginFiles(
  paths: readonly string[],
  report: (index: number, reason: string) => void,
): PluginFile[] {
  return paths.flatMap((path, index) => {
    try {
      const file = { path, hash: hashOf(path) }
      usePluginFile(file)
      return [file]
    } catch (error) {
      report(index, `${path} holds no plugin: ${(error as Error).message}`)
      return []
    }
  })
}

/** Makes the plugin of a file known, on this thread. Throws where it holds none. */
export function usePluginFile(file: PluginFile): void {
  const url = `${filePrefix}${pathToFileURL(file.path)}?${file.hash}`
  const definition = definitions.get(url) ?? readDefinition(url)
  definitions.set(url, definition)
  registerPlugin(definition, file)
}

function hashOf(path: string): string {
  const text = readFileSync(path)
  if (text.length > mostBytes) throw new Error(`it is larger than ${mostBytes} bytes`)
  return hash('sha256', text, 'hex')
}

function readDefinition(url: string): PluginDefinition {
  hook()
  const module = createRequire(import.meta.url)(url) as { readonly default?: unknown }
  const definition = module.default as Partial<PluginDefinition> | undefined
  const isDefinition =
    typeof definition === 'object' &&
    typeof definition.name === 'string' &&
    typeof definition.create === 'function' &&
    Number.isFinite(definition.order) &&
    typeof definition.config?.safeParse === 'function'
  if (!isDefinition)
    throw new Error('its default export must be definePlugin({ name, order, description, config, create })')
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(definition.name!))
    throw new Error(`a plugin cannot be called ${JSON.stringify(definition.name)}`)
  return definition as PluginDefinition
}

function hook(): void {
  if (isHooked) return
  isHooked = true
  Object.assign(globalThis, { [exposed]: api })
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === apiName) return { url: apiUrl, format: 'module', shortCircuit: true }
      if (specifier.startsWith(filePrefix)) return { url: specifier, shortCircuit: true }
      const { parentURL } = context
      if (!parentURL?.startsWith(filePrefix)) return next(specifier, context)
      return next(specifier, { ...context, parentURL: fileUrl(parentURL) })
    },
    load(url, context, next) {
      if (url === apiUrl) return { format: 'module', source: apiSource(), shortCircuit: true }
      if (!url.startsWith(filePrefix)) return next(url, context)
      const path = fileURLToPath(fileUrl(url))
      const format = /^\.m?ts$/.test(extname(path)) ? 'module-typescript' : 'module'
      return { format, source: readFileSync(path, 'utf8'), shortCircuit: true }
    },
  })
}

const fileUrl = (url: string) => url.slice(filePrefix.length).replace(/\?.*$/, '')

const apiSource = () =>
  `const api = globalThis[Symbol.for('gatehouse.plugin-api')]\n${Object.keys(api)
    .map((name) => `export const ${name} = api.${name}\n`)
    .join('')}`
