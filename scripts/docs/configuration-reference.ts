import { configurationJsonSchema } from '@gatehouse/gateway-runtime/config'
import { fieldsOf, type Schema, settingRow, settingRows, settingsTable } from './settings-table.ts'

const collections = ['listeners', 'services', 'routes', 'upstreams', 'consumers', 'plugins', 'certificates']

/** docs/configuration.md: every setting with its type, its default and what it does. */
export function configurationReference(): string {
  const { properties = {} } = configurationJsonSchema() as Schema
  const names = Object.keys(properties)
  const others = names.filter((name) => !collections.includes(name))
  const sections = [...collections, ...others.filter((name) => fieldsOf(properties[name]!) !== undefined)]
  const plain = others.filter((name) => !sections.includes(name))
  return [
    '# Settings',
    'Written by `npm run docs` from the schema that checks a configuration. Times are `5000` (milliseconds), `5000ms`, ' +
      '`5s`, `10m`, `12h` or `7d`. [guide.md](guide.md) shows how they go together.',
    ...sections.map((name) => section(name, properties[name]!)),
    '## Others',
    settingsTable(plain.map((name) => settingRow(name, properties[name]!, false))),
  ].join('\n\n')
}

function section(name: string, schema: Schema): string {
  const isList = collections.includes(name)
  const text = isList ? `A list under \`${name}\`.` : `Under \`${name}\`.`
  return `## ${name}\n\n${text}\n\n${settingsTable(settingRows('', fieldsOf(schema)!))}`
}
