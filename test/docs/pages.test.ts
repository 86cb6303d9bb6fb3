import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { request } from 'undici'
import { parse } from 'yaml'
import { plugins } from '../../gateway-runtime/src/plugins/registry.ts'
import { configurationReference } from '../../scripts/docs/configuration-reference.ts'
import { pluginPages } from '../../scripts/docs/plugin-pages.ts'
import { load } from '../gateway-runtime/config/configurations.ts'
import { startGateway } from '../support/gateway.ts'
import { temporaryFolders } from '../support/temporary-folder.ts'
import { startUpstream } from '../support/upstream.ts'

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

describe('the page on writing plugins', () => {
  const text = readFileSync(join(root, 'docs/writing-plugins.md'), 'utf8')
  const blockOf = (language: string) => new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(text)![1]!
  const newFolder = temporaryFolders()

  test('has a plugin that is right by the published types, outside of the repository', async () => {
    const folder = await newFolder()
    await writeFile(join(folder, 'tenant.ts'), blockOf('ts'))
    const compilerOptions = {
      ...{ module: 'nodenext', target: 'esnext', strict: true, noEmit: true, skipLibCheck: true },
      ...{
        allowImportingTsExtensions: true,
        types: ['node'],
        typeRoots: [join(root, 'node_modules/@types')],
      },
      paths: {
        '@gatehouse/gateway-runtime/plugin': [join(root, 'gateway-runtime/src/plugins/plugin-api.ts')],
      },
    }
    await writeFile(join(folder, 'package.json'), '{"type":"module"}')
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['tenant.ts'] }))
    const compile = () => spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' })
    expect(compile()).toMatchObject({ status: 0, stdout: '' })
    await writeFile(join(folder, 'tenant.ts'), blockOf('ts').replace('order: 800', "order: 'first'"))
    expect(compile().stdout).toContain("Type 'string' is not assignable to type 'number'")
  })

  test('has a plugin that runs', async () => {
    const folder = await newFolder()
    const file = join(folder, 'tenant.ts')
    await writeFile(file, blockOf('ts'))
    const upstream = await startUpstream()
    const config = parse(blockOf('yaml').replace('http://10.0.12.7:8080/', upstream.url))
    const gateway = await startGateway({ config: { ...config, plugin_files: [file] } })
    const ask = (host: string) => request(`${gateway.url}/orders`, { headers: { host } })
    const answer = await ask('shop.example.com')
    expect(await answer.body.json()).toMatchObject({ headers: { 'x-tenant': 'shop' } })
    expect((await ask('other.example.com')).statusCode).toBe(404)
    await gateway.stop()
    await upstream.stop()
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
