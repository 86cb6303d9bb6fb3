import { z } from '@gatehouse/gateway-runtime/plugin'
import { stringify } from 'yaml'
import type { PluginDefinition } from '../../gateway-runtime/src/plugins/contract.ts'
import { plugins } from '../../gateway-runtime/src/plugins/registry.ts'
import { type Schema, settingRows, settingsTable } from './settings-table.ts'

/** Stands above what people have written on a page; it stays when the page is written anew. */
const marker = '<!-- What follows is written by hand. -->'

/** The pages of docs/plugins, by file name. `written`: the text of a page as it is, or undefined. */
export function pluginPages(written: (file: string) => string | undefined): Map<string, string> {
  const all = [...plugins.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const pages = all.map((plugin): [string, string] => {
    const file = `${plugin.name}.md`
    const [, byHand] = (written(file) ?? '').split(marker)
    return [file, byHand === undefined ? pageOf(plugin) : `${pageOf(plugin)}\n${marker}${byHand}`]
  })
  return new Map([['README.md', overview(all)], ...pages])
}

function overview(all: readonly PluginDefinition[]): string {
  const rows = all
    .toSorted((a, b) => b.order - a.order)
    .map(({ name, order, description }) => `| [${name}](${name}.md) | ${order} | ${description} |`)
  return `# Plugins

Written by \`npm run docs\` from the plugins themselves.

A plugin stands in \`plugins\` with its \`config\`, for all routes or for one \`service\`, \`route\` or \`consumer\`, or for
a consumer on one of these. Of one that stands at several scopes the narrowest counts: consumer and route, consumer and
service, consumer, route, service, all. \`enabled: false\` at a narrow scope switches off what stands at a wider one.
Plugins of a consumer count from where authentication (orders 1000 to 1999) has found out who it is; those that would see
the request before see it right behind. Authentication itself belongs to no consumer. A request meets plugins in the
order below, an answer in the opposite order.

| plugin | order | what it does |
| - | - | - |
${rows.join('\n')}
`
}

function pageOf({
  name,
  order,
  description,
  config,
  examples = [],
  credentials,
  counters,
}: PluginDefinition) {
  const yaml = examples.map((example) => stringify({ plugins: [{ name, config: example }] }))
  return [
    `# ${name}`,
    `${description} Order ${order}.`,
    ...yaml.map((text) => `\`\`\`yaml\n${text}\`\`\``),
    '## Settings',
    tableOf(config, 'It has none.'),
    ...(credentials
      ? ['## Credentials', `Under \`credentials.${name}\` of a consumer.`, tableOf(credentials.schema, '')]
      : []),
    ...(counters
      ? [
          '## Counters',
          `In \`gatehouse_plugin_events_total{plugin="${name}",scope,event}\`.`,
          `| event | what is counted |\n| - | - |\n${Object.entries(counters)
            .map(([event, meaning]) => `| \`${event}\` | ${meaning} |`)
            .join('\n')}`,
        ]
      : []),
  ]
    .join('\n\n')
    .concat('\n')
}

function tableOf(schema: z.ZodType, none: string): string {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema
  const options = json.anyOf ?? [json]
  const rows = options.flatMap((option) => settingRows('', option))
  return rows.length === 0 ? none : settingsTable(rows)
}
