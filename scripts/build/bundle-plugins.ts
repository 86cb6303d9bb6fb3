import type { Plugin } from 'esbuild'

/* What is left out of bundles, because every thread would pay for it at every start. */

/**
 * An import of a module of Node.js reads all its properties, and some of them load what nobody asked for: the WebSocket
 * of `node:http`, the terminal of `node:fs`. So each is read by itself; those that load something, in a module of their
 * own, which is only in the parts that use it.
 */
export const plainBuiltins: Plugin = {
  name: 'plain-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ importer, kind, path }) => {
      // What clients of AWS want of them is not to be read before those are loaded.
      if (kind !== 'import-statement' || importer.includes('node_modules')) return undefined
      return { path, namespace: 'plain-builtins', sideEffects: false }
    })
    onResolve({ filter: /^node:.*#/, namespace: 'plain-builtins' }, ({ path }) => ({
      path,
      namespace: 'plain-builtins',
      sideEffects: false,
    }))
    onLoad({ filter: /.*/, namespace: 'plain-builtins' }, ({ path }) => {
      const [module, property] = path.split('#') as [string, string?]
      return { contents: property === undefined ? readingEach(module) : readingOne(module, property) }
    })
  },
}

function readingEach(path: string): string {
  const properties = Object.entries(Object.getOwnPropertyDescriptors(process.getBuiltinModule(path)!))
  const one = ([name, { get, enumerable }]: [string, PropertyDescriptor]) => {
    if (!enumerable || !/^[A-Za-z_]\w*$/.test(name)) return ''
    if (get) return `export { $${name} as ${name} } from '${path}#${name}'\n`
    // Marked so, those that nobody imports are dropped.
    return `const $${name} = /* @__PURE__ */ (() => module.${name})()\nexport { $${name} as ${name} }\n`
  }
  return [
    `const module = process.getBuiltinModule('${path}')\nexport default module\n`,
    ...properties.map(one),
  ].join('')
}

const readingOne = (path: string, name: string) =>
  `export const $${name} = process.getBuiltinModule('${path}').${name}\n`

/** Messages of zod in all languages are half of it; ours are English. */
export const oneLanguage: Plugin = {
  name: 'one-language',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js'",
      loader: 'js',
    }))
  },
}
