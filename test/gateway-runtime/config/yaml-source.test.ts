import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseYamlFile, YamlSource, z } from '@gatehouse/gateway-runtime/config'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { YamlDocument } from '../../../gateway-runtime/src/config/yaml-document.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { configurationError } from './configurations.ts'

const newFolder = temporaryFolders()

const schema = z.discriminatedUnion('target', [
  z.strictObject({
    target: z.literal('aws'),
    region: z.string(),
    nodes: z.strictObject({ min: z.int() }).optional(),
  }),
  z.strictObject({ target: z.literal('local'), directory: z.string().default('here') }),
])

describe('a YAML file with a schema', () => {
  async function fileOf(text: string): Promise<string> {
    const path = join(await newFolder(), 'environment.yaml')
    await writeFile(path, text)
    return path
  }
  const problemOf = async (text: string) => {
    const path = await fileOf(text)
    return configurationError(() => parseYamlFile(path, schema)).message.replace(path, 'environment.yaml')
  }

  test('is what the schema makes of it', async () => {
    expect(parseYamlFile(await fileOf('# here\ntarget: local\n'), schema)).toEqual({
      target: 'local',
      directory: 'here',
    })
  })

  test.each([
    [
      'target: aws\nregoin: x\nregion: y\n',
      'environment.yaml:2:1: unknown key "regoin"; did you mean "region"?',
    ],
    [
      'target: aws\nregion: y\nnodes:\n  mn: 1\n  min: 1\n',
      'environment.yaml:4:3: unknown key "mn"; did you mean "min"?',
    ],
    [
      'target: local\nregion: y\n',
      'environment.yaml:2:1: unknown key "region"; known here: target, directory',
    ],
    ['target: local\n directory: x\n', 'environment.yaml:1:9: invalid YAML: nested mappings are not allowed'],
    ['target: mars\n', 'environment.yaml:1:9: expected "aws" or "local", found "mars"'],
    ['directory: x\n', 'environment.yaml:1:1: missing key "target": expected "aws" or "local"'],
    ['', 'environment.yaml:1:1: missing key "target"'],
    ['- a\n', 'environment.yaml:1:1: expected a mapping of keys, found a list'],
  ])('%j', async (text, problem) => {
    expect(await problemOf(text)).toContain(problem)
  })

  test('that cannot be read', () => {
    expect(configurationError(() => parseYamlFile('/nowhere.yaml', schema)).message).toBe(
      '/nowhere.yaml:1:1: cannot be read: no such file or directory',
    )
  })
})

describe('a file that is read entry by entry', () => {
  const line = fc.constantFrom(
    ...[
      'services:',
      'routes: # list',
      'limits: { a: 1 }',
      'limits:',
      'notes: |',
      "text: 'several",
      'lines: [',
      ']',
    ],
    ...['# comment', '  # deeper comment', '', '---', '&a', '*a', "'", '"', '}', '\t- tab'],
    ...[
      '  - name: one',
      '  - name: two',
      '- name: three',
      '    url: http://a',
      '    list:',
      '      - 1',
      '  - - 2',
    ],
    ...[
      '    note: |',
      '      text',
      '    note: "several',
      '      lines"',
      '    flow: [1,',
      '      2]',
      '  -',
      '- ',
    ],
    ...[
      '  - { name: four, key: &x y }',
      '    other: *x',
      '  connections: 5',
      '? complex',
      ': value',
      '  - *x',
    ],
  )
  const read = (parse: () => { readonly value: unknown }) => {
    try {
      return { value: parse().value }
    } catch (error) {
      return { error: (error as Error).message }
    }
  }

  test('says what the file says as a whole, and fails where that fails', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 14 }), fc.boolean(), (lines, hasReturns) => {
        const text = lines.join(hasReturns ? '\r\n' : '\n')
        expect(read(() => new YamlSource('a.yaml', text))).toEqual(
          read(() => new YamlDocument('a.yaml', text)),
        )
      }),
      { numRuns: 3_000 },
    )
  })

  test('says so after each of many edits, too, and where everything stands', () => {
    const entry = fc.uniqueArray(
      fc.constantFrom(
        '    url: http://a',
        '    note: |\n      text',
        '    # comment',
        '    list: [a, b]',
        '',
      ),
      { maxLength: 3 },
    )
    const file = fc.array(entry, { minLength: 1, maxLength: 8 }).map((entries) => {
      const items = entries.map((lines, index) => [`  - name: n${index}`, ...lines].join('\n'))
      return `# kept\nlimits: { a: 1 }\nroutes:\n  # first\n${items.join('\n')}\nworkers: 1\n`
    })
    fc.assert(
      fc.property(fc.array(file, { minLength: 1, maxLength: 5 }), (texts) => {
        let source: YamlSource | undefined
        for (const text of texts) {
          source = new YamlSource('a.yaml', text, source)
          const whole = new YamlDocument('a.yaml', text)
          expect(source.value).toEqual(whole.value)
          expect(source.entries('routes')).toHaveLength((whole.value as { routes: unknown[] }).routes.length)
          for (const path of [['routes', 0, 'name'], ['routes', 3, 'list', 1], ['routes', 2], ['workers']]) {
            expect(source.place(path)).toEqual(whole.place(path))
            expect(source.place(path, 'key')).toEqual(whole.place(path, 'key'))
          }
        }
      }),
      { numRuns: 200 },
    )
  })
})
