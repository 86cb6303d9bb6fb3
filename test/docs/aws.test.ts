import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { environmentReference } from '../../scripts/docs/environment-reference.ts'
import { environmentSchema } from '../../stacks/environment.ts'

const docs = join(import.meta.dirname, '../../docs')
const guide = readFileSync(join(docs, 'aws.md'), 'utf8')

describe('docs/aws.md', () => {
  const examples = [...guide.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml]) => yaml!)

  test('has environments that are right', () => {
    expect(examples.length).toBeGreaterThan(4)
    for (const yaml of examples)
      expect(environmentSchema.safeParse(parse(yaml)).error?.issues).toBeUndefined()
  })

  test('names scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync(join(docs, '../package.json'), 'utf8'))
    const named = [...guide.matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name)
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named))
  })
})

test('docs/environment.md is what npm run docs writes', () => {
  expect(readFileSync(join(docs, 'environment.md'), 'utf8')).toBe(`${environmentReference()}\n`)
})
