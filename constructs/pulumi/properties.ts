import type { PropertyName } from './names.ts'
import { blocks, isObject, type Json, type JsonObject } from './terraform-json.ts'

type Names = Readonly<Record<string, PropertyName>>

/** What turns a text with expressions into a value, or into an Output of one. */
export type Resolve = (text: string) => unknown

export interface Conversion {
  readonly resolve: Resolve
  /** Makes an asset of the path of a file. */
  readonly asset: (path: string) => unknown
  /** Applies a function now, or to the value of an Output when it is there. */
  readonly apply: (value: unknown, change: (value: unknown) => unknown) => unknown
}

/**
 * Arguments of Terraform as inputs of Pulumi: names, single blocks, and the types that Terraform converts by itself.
 * @param place for errors, such as aws_subnet.main
 * @throws Error when there is no such property
 */
export function toPulumi(
  place: string,
  values: JsonObject,
  names: Names,
  conversion: Conversion,
): Record<string, unknown> {
  const entries = Object.entries(values).flatMap(([key, value]) => {
    const name = names[key]
    if (!name) throw new Error(`${place}.${key} has no known name in Pulumi: give it with the option names`)
    if (value === null) return []
    return [[name.name, convert(`${place}.${key}`, value, name, conversion)] as const]
  })
  return Object.fromEntries(entries)
}

function convert(
  place: string,
  value: Json,
  { shape, fields }: Pick<PropertyName, 'shape' | 'fields'>,
  conversion: Conversion,
): unknown {
  if (typeof value === 'string' && shape === 'asset') return conversion.asset(value)
  if (typeof value === 'string')
    return conversion.apply(conversion.resolve(value), (plain) => coerce(plain, shape))
  if (shape.endsWith('[]')) {
    const item = { shape: shape.slice(0, -2), ...(fields && { fields }) }
    return blocks(value).map((entry, index) => convert(`${place}[${index}]`, entry, item, conversion))
  }
  if (shape === 'object') return single(place, value, fields ?? {}, conversion)
  if (shape === 'map' || isObject(value) || Array.isArray(value)) return deep(value, conversion)
  return coerce(value, shape)
}

function single(place: string, value: Json, fields: Names, conversion: Conversion): unknown {
  const [only, ...more] = blocks(value)
  if (more.length > 0) throw new Error(`${place}: Pulumi has one such block, got ${more.length + 1}`)
  if (only === undefined) return undefined
  if (!isObject(only)) throw new Error(`${place}: expected a block, got ${typeof only}`)
  return toPulumi(place, only, fields, conversion)
}

/** Names of users stay as they are: those of tags and dimensions. */
function deep(value: Json, conversion: Conversion): unknown {
  if (typeof value === 'string') return conversion.resolve(value)
  if (Array.isArray(value)) return value.map((item) => deep(item, conversion))
  if (isObject(value))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, deep(item, conversion)]))
  return value
}

function coerce(value: unknown, shape: string): unknown {
  if (shape === 'string' && (typeof value === 'number' || typeof value === 'boolean')) return String(value)
  if (typeof value !== 'string') return value
  if (shape === 'number') return Number(value)
  if (shape === 'boolean') return value === 'true'
  return value
}

/** A value of Pulumi under Terraform's names, as expressions read it. */
export function toTerraform(value: unknown, fields: Names | undefined): unknown {
  if (Array.isArray(value)) return value.map((item) => toTerraform(item, fields))
  if (!fields || !isObject(value)) return value
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, { name }]) => name in value)
      .map(([key, { name, fields: inner }]) => [key, toTerraform(value[name], inner)]),
  )
}
