import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'

const root = join(import.meta.dirname, '../..')
const sources = ['constructs', 'stacks', 'scripts'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|mjs)$/.test(file))
    .map((file) => join(folder, file)),
)
const specifiers = (file: string) =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map(
    ([, name]) => name!,
  )

describe('imports', () => {
  test('are of single submodules of the AWS provider: its index takes seconds and hundreds of megabytes', () => {
    const found = sources.flatMap((file) =>
      specifiers(file)
        .filter((name) => /^@cdkt[fn]\/provider-aws/.test(name))
        .map((name) => ({ file, name })),
    )
    expect(found.length).toBeGreaterThan(10)
    expect(
      found.filter(({ name }) => !/^@cdkt[fn]\/provider-aws\/lib\/[a-z0-9-]+\/index\.js$/.test(name)),
    ).toEqual([])
  })

  test('go one way: constructs know neither stacks nor scripts', () => {
    const wrong = sources.flatMap((file) =>
      specifiers(file)
        .filter((name) => file.startsWith('constructs/') && /(^|\/)(stacks|scripts)\//.test(name))
        .map((name) => `${file}: ${name}`),
    )
    expect(wrong).toEqual([])
  })
})
