import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { classDocstring, type Docstring, interfaceMembers, type Member } from './docstring.ts'

/** A construct of the public index, with what its sources say of it. */
export interface DocumentedConstruct extends Docstring {
  readonly name: string
  /** Name of its page: `node-fleet.md`. */
  readonly page: string
  readonly example: string | undefined
  readonly props: readonly Member[]
}

const constructs = join(import.meta.dirname, '../../constructs')

/** Every class for AWS that constructs/index.ts exports, by name. */
export function documentedConstructs(): DocumentedConstruct[] {
  const index = readFileSync(join(constructs, 'index.ts'), 'utf8')
  const sources = readdirSync(join(constructs, 'aws')).map((file) =>
    readFileSync(join(constructs, 'aws', file), 'utf8'),
  )
  return [...index.matchAll(/export \{([^}]*)\} from '\.\/aws\//g)]
    .flatMap(([, names = '']) => names.split(',').map((name) => name.trim()))
    .filter((name) => /^[A-Z]/.test(name))
    .flatMap((name) => documented(name, sources))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function documented(name: string, sources: readonly string[]): DocumentedConstruct[] {
  for (const source of sources) {
    const docs = classDocstring(source, name)
    if (!docs) continue
    const members = sources.map((each) => interfaceMembers(each, `${name}Props`)).find(Boolean) ?? []
    const page = `${name.replace(/(?<!^)[A-Z]/g, '-$&').toLowerCase()}.md`
    return [{ ...docs, name, page, example: docs.tags.get('example'), props: members }]
  }
  return []
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

function propsTable(props: readonly Member[]): string {
  const rows = props.map(({ name, isOptional, type, text, tags }) => {
    const fallback = isOptional ? cell(tags.get('default') ?? '') : '**must be given**'
    return `| \`${name}\` | \`${cell(type)}\` | ${fallback} | ${cell(text)} |`
  })
  return ['| prop | type | default | what |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

/** Imports of an example: what it names of the public index and of cdktf. */
function importsOf(example: string, names: readonly string[]): string {
  const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(example))
  const ofCdktf = ['Aspects', 'TerraformOutput'].filter((name) => example.includes(name))
  return [
    ...(ofCdktf.length > 0 ? [`import { ${ofCdktf.join(', ')} } from 'cdktf'`] : []),
    `import { ${used.join(', ')} } from './constructs/index.ts'`,
  ].join('\n')
}

function renderPage(construct: DocumentedConstruct, names: readonly string[]): string {
  const { name, text, example, props, tags } = construct
  const throws = tags.get('throws')
  return [
    `# ${name}`,
    text,
    ...(example ? [['```ts', importsOf(example, names), '', example, '```'].join('\n')] : []),
    ...(props.length > 0 ? ['## Props', propsTable(props)] : []),
    ...(throws ? [`It throws ${throws}.`] : []),
  ]
    .join('\n\n')
    .concat('\n')
}

/** File name → content of docs/constructs. */
export function constructPages(): Map<string, string> {
  const all = documentedConstructs()
  const names = all.map(({ name }) => name)
  const first = (text: string) => /^[\s\S]*?\.(?=\s|$)/.exec(text)?.[0] ?? text
  const index = [
    '# Constructs for AWS',
    '',
    'Each can be used alone in a stack of your own. These pages are written from the sources by `npm run docs`.',
    '',
    '| construct | what |',
    '| --- | --- |',
    ...all.map(({ name, page, text }) => `| [${name}](${page}) | ${cell(first(text))} |`),
    '',
  ].join('\n')
  return new Map([['README.md', index], ...all.map((each) => [each.page, renderPage(each, names)] as const)])
}
