import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseYamlFile, z } from '@gatehouse/gateway-runtime/config'
import { describe, expect, test } from '@jest/globals'
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
