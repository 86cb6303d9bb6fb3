import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { plugins } from '../../gateway-runtime/src/plugins/registry.ts'
import { configurationReference } from '../../scripts/docs/configuration-reference.ts'
import { pluginPages } from '../../scripts/docs/plugin-pages.ts'
import { load } from '../gateway-runtime/config/configurations.ts'

const root = join(import.meta.dirname, '../..')

/** The YAML examples of a page, by the heading above each. */
function examplesOf(page: string): [heading: string, yaml: string][] {
  const text = readFileSync(join(root, page), 'utf8')
  let heading = ''
  return [...text.matchAll(/^## ([^\n]+)$|^```yaml\n(.*?)^```$/gms)].flatMap(([, title, yaml]) => {
    if (title !== undefined) heading = title
    return yaml === undefined ? [] : [[heading, yaml]]
  })
}

describe('the guide', () => {
  const examples = examplesOf('docs/guide.md')

  test('has examples', () => {
    expect(examples.length).toBeGreaterThan(4)
  })

  test.each(examples)('%s', (_, yaml) => {
    const { routes, listeners } = load(yaml)
    expect(routes.length + listeners.length).toBeGreaterThan(0)
  })
})

describe('the pages of plugins', () => {
  const read = (file: string) => readFileSync(join(root, 'docs/plugins', file), 'utf8')

  test('are those of the plugins; `npm run docs` writes them', () => {
    const pages = pluginPages(read)
    expect(readdirSync(join(root, 'docs/plugins')).sort()).toEqual([...pages.keys()].sort())
    for (const [file, text] of pages) expect(read(file)).toBe(text)
  })

  test.each([...plugins.values()].map((plugin) => [plugin.name, plugin] as const))(
    'have examples that %s takes',
    (_, { config, examples = [] }) => {
      for (const example of examples) expect(config.safeParse(example)).toMatchObject({ success: true })
    },
  )
})

test('the list of settings is that of the schema; `npm run docs` writes it', () => {
  expect(readFileSync(join(root, 'docs/configuration.md'), 'utf8')).toBe(`${configurationReference()}\n`)
})
