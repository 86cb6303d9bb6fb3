import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import * as library from '../../../constructs/index.ts'
import { constructPages, documentedConstructs } from '../../../scripts/docs/construct-pages.ts'
import { parseDocstring } from '../../../scripts/docs/docstring.ts'
import { danglingReferences } from '../../constructs/synthesized.ts'
import { typeCheck } from '../../support/type-check.ts'

const root = join(import.meta.dirname, '../../..')
const folder = join(root, 'docs/constructs')
const directory = mkdtempSync(join(tmpdir(), 'gateway-construct-pages-'))
afterAll(() => rmSync(directory, { recursive: true }))
const documented = documentedConstructs()

describe('docs/constructs', () => {
  test('is what npm run docs writes', () => {
    const pages = constructPages()
    expect(readdirSync(folder).sort()).toEqual([...pages.keys()].sort())
    for (const [file, text] of pages) expect(readFileSync(join(folder, file), 'utf8')).toBe(text)
  })

  test('has a page for every class for AWS of the public index', () => {
    const ofOtherTargets = ['ConstructError', 'HostsGateway', 'LocalGateway']
    const classes = Object.entries(library)
      .filter(([name, value]) => /^class\b/.test(String(value)) && !ofOtherTargets.includes(name))
      .map(([name]) => name)
    expect(documented.map(({ name }) => name)).toEqual(classes.sort())
  })

  test('says of every construct what it is, shows an example, and gives the default of every prop', () => {
    for (const { name, text, example, props } of documented) {
      expect([name, text.length > 40, example !== undefined]).toEqual([name, true, true])
      for (const { name: prop, isOptional, text: said, tags } of props) {
        if (isOptional) expect([name, prop, tags.has('default')]).toEqual([name, prop, true])
        expect([name, prop, said !== '' || tags.has('default')]).toEqual([name, prop, true])
      }
    }
  })

  test('has examples that compile', () => {
    const examples = documented.map(
      ({ name, example }) =>
        `export function exampleOf${name}(stack: TerraformStack) {\n  use(stack)\n${example}\n}\n`,
    )
    const program = `
import { Aspects, TerraformOutput, type TerraformStack } from 'cdktf'
import { ${documented.map(({ name }) => name).join(', ')} } from '${join(root, 'constructs/index.ts')}'

const use = (...values: unknown[]) => values
use(Aspects, TerraformOutput)
${examples.join('\n')}`
    expect(typeCheck(directory, program)).toBe('')
  })
})

test('every construct can be used alone: its example synthesizes', () => {
  mkdirSync(join(directory, 'dist/packages'), { recursive: true })
  writeFileSync(join(directory, 'dist/packages/gateway-runtime_0.1.0_arm64.deb'), 'a package')
  const program = `
import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js'
import { App, Aspects, TerraformOutput, TerraformStack } from 'cdktf'
import { ${documented.map(({ name }) => name).join(', ')} } from '${join(root, 'constructs/index.ts')}'
const app = new App({ outdir: 'out' })
const run = (name: string, build: (stack: TerraformStack) => void) => {
  const stack = new TerraformStack(app, name)
  new AwsProvider(stack, 'aws', { region: 'eu-central-1' })
  build(stack)
}
void [Aspects, TerraformOutput]
${documented.map(({ name, example }) => `run('${name}', (stack) => {\n${example}\n})`).join('\n')}
app.synth()
`
  expect(typeCheck(directory, program)).toBe('')
  const { status, stderr } = spawnSync(process.execPath, ['--no-deprecation', 'main.ts'], {
    cwd: directory,
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([0, ''])
  for (const { name } of documented) {
    const json = JSON.parse(readFileSync(join(directory, 'out/stacks', name, 'cdk.tf.json'), 'utf8'))
    expect([name, danglingReferences({ resource: {}, ...json })]).toEqual([name, []])
  }
})

test('an example that does not compile is found', () => {
  const wrong = `import { VirtualIp } from '${join(root, 'constructs/index.ts')}'\nexport const wrong = new VirtualIp(1)\n`
  expect(typeCheck(directory, wrong)).toMatch(/main\.ts\(2,\d+\): error TS/)
})

test('a docstring is its text and its tags', () => {
  const { text, tags } = parseDocstring(
    '/**\n   * One\n   * line.\n   *\n   * Two.\n   * @default 3\n   * of them\n   */',
  )
  expect(text).toBe('One line.\n\nTwo.')
  expect(tags.get('default')).toBe('3 of them')
})
