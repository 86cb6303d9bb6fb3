import { createHash } from 'node:crypto'
import { awsNames } from '../../../constructs/pulumi/names.ts'
import { toTerraform } from '../../../constructs/pulumi/properties.ts'
import type { Resource, Synthesized } from '../synthesized.ts'
import type { DeployedResource } from './deploy.ts'

const options = ['//', 'connection', 'depends_on', 'lifecycle', 'provider', 'provisioner', 'timeouts']

/** Of a stack of Terraform: type and id → arguments, with the values that the mocks give in place of references. */
export function expectedArguments(json: Synthesized): Map<string, unknown> {
  const resources = Object.entries(json.resource).flatMap(([type, all]) =>
    Object.entries(all).map(([id, body]) => [`${type}.${id}`, body] as const),
  )
  return new Map(
    resources.map(([place, body]) => {
      const own = Object.entries(body).filter(([key]) => !options.includes(key))
      return [place, comparable(Object.fromEntries(own), (text) => mockedText(text, json))]
    }),
  )
}

/** Of a resource in Pulumi: its inputs under Terraform's names. */
export function actualArguments(type: string, { inputs }: DeployedResource): unknown {
  const { properties } = awsNames.resources[type]!
  const known = Object.values(properties).map(({ name }) => name)
  const unknown = Object.keys(inputs).filter((name) => !known.includes(name) && name !== '__defaults')
  if (unknown.length > 0) throw new Error(`${type} has unknown inputs: ${unknown.join(', ')}`)
  return comparable(toTerraform(inputs, properties), (text) => text)
}

/** What the mocks make of a text with references. */
export function mockedText(text: string, json: Synthesized): string {
  return text
    .replaceAll(/\$\{sha256\(("(?:[^"\\]|\\.)*")\)\}/g, (_, quoted: string) =>
      createHash('sha256')
        .update(mockedText(JSON.parse(quoted), json))
        .digest('hex'),
    )
    .replaceAll(
      /(?<!\$)\$\{cidrsubnet\(aws_vpc\.[\w-]+\.ipv6_cidr_block, 8, (\d+)\)\}/g,
      (_, index: string) =>
        `2001:db8:1200:${index === '0' ? '' : Number(index).toString(16)}::/64`.replace(':::', '::'),
    )
    .replaceAll(/(?<!\$)\$\{(data\.)?(\w+)\.([\w-]+)\.(\w+)\}/g, (_, data, type, id, name) =>
      data
        ? dataValue(type, name, json.data?.[type]?.[id])
        : resourceValue(id, name, json.resource[type]?.[id], json),
    )
    .replaceAll('$${', '${')
}

function resourceValue(id: string, name: string, body: Resource | undefined, json: Synthesized): string {
  if (body === undefined) throw new Error(`${id} is not in the stack`)
  if (name === 'latest_version') return '1'
  if (name === 'ipv6_cidr_block') return '2001:db8:1200::/56'
  return name in body ? mockedText(String(body[name]), json) : `<${id}.${name}>`
}

function dataValue(type: string, name: string, body: Resource | undefined): string {
  if (type === 'aws_region') return 'eu-central-1'
  return body && name in body ? String(body[name]) : `<${awsNames.data[type]!.token}.${name}>`
}

/**
 * Terraform takes "45" for 45, and a block for a list of one: both are told the same way here, and nothing else is.
 */
function comparable(value: unknown, text: (value: string) => string): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => comparable(item, text))
    return items.length === 1 && typeof items[0] === 'object' ? items[0] : items
  }
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).map(([key, item]) => [key, comparable(item, text)])
    return Object.fromEntries(entries)
  }
  return typeof value === 'string' ? text(value) : String(value)
}
