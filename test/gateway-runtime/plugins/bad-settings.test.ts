import { z } from '@gatehouse/gateway-runtime/plugin'
import { describe, expect, test } from '@jest/globals'
import { plugins } from '../../../gateway-runtime/src/plugins/registry.ts'
import { problemsOf } from '../config/configurations.ts'

interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly anyOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
}

const values = [
  ['object', '{ no_such_key: 1 }'],
  ['boolean', 'true'],
  ['array', '[[[]]]'],
] as const

const typesOf = ({ type = [], anyOf = [] }: JsonSchema): string[] => [type, ...anyOf.map(typesOf)].flat(2)

/** A value of a type that a setting does not take, as YAML. */
const wrongValue = (schema: JsonSchema): string =>
  values.find(([type]) => !typesOf(schema).includes(type))![1]

const settingsOf = (schema: z.ZodType): [string, JsonSchema][] => {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema
  return [json, ...(json.anyOf ?? [])].flatMap(({ properties = {} }) => Object.entries(properties))
}

const problems = (name: string, setting: string) =>
  problemsOf(`plugins:\n  - name: ${name}\n    config:\n      ${setting}\n`)

describe.each([...plugins.values()].map((plugin) => [plugin.name, plugin] as const))('%s', (name, plugin) => {
  test('has no settings that it does not know', () => {
    expect(problems(name, 'no_such_setting: 1')).toContainEqual(
      expect.stringMatching(/^config\.yaml:4:7: unknown key "no_such_setting"/),
    )
  })

  const settings = settingsOf(plugin.config)
  if (settings.length > 0)
    test.each(settings)('says where %s stands, and what is expected there', (setting, schema) => {
      const found = problems(name, `${setting}: ${wrongValue(schema)}`)
      const place = new RegExp(
        `^config\\.yaml:4:(7|${setting.length + 9}|${setting.length + 11}): (expected|unknown)`,
      )
      expect(found).toContainEqual(expect.stringMatching(place))
    })
})
