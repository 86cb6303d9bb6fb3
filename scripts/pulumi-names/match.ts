import type { PropertyName } from '../../constructs/pulumi/names.ts'
import type { Declared, Properties } from './declarations.ts'
import type { Attribute, Fields } from './terraform-schema.ts'

export interface Matched {
  readonly properties: Readonly<Record<string, PropertyName>>
  /** Paths of what Terraform has and Pulumi has not. */
  readonly missing: readonly string[]
}

const camelCase = (name: string) =>
  name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

/** The names that the bridge makes of one: lists are in the plural, and single ones of a list in the singular. */
const candidates = (name: string) => {
  const camel = camelCase(name)
  return [
    camel,
    `${camel}s`,
    `${camel}es`,
    camel.replace(/y$/, 'ies'),
    camel.replace(/ies$/, 'y'),
    camel.replace(/s$/, ''),
    camel.replace(/es$/, ''),
  ]
}

/** What is an option of resources in Pulumi; what every resource has; and what follows from the provider's configuration. */
const notProperties = new Set(['timeouts', 'id', 'tags_all'])

/**
 * @param path of the resource or property that has these fields, such as aws_subnet
 * @param skipped names that are left out
 * @param renames names that are no candidates, by path
 */
export function match(
  path: string,
  fields: Fields,
  sides: readonly Properties[],
  renames: Readonly<Record<string, string>>,
  skipped: ReadonlySet<string> = notProperties,
): Matched {
  const missing: string[] = []
  const properties: Record<string, PropertyName> = {}
  for (const [name, attribute] of Object.entries(fields)) {
    if (skipped.has(name)) continue
    const place = `${path}.${name}`
    const found = find(renames[place] ? [renames[place]] : candidates(name), sides)
    if (!found) missing.push(place)
    else {
      const nested = nestedNames(place, attribute, found.all, renames)
      missing.push(...nested.missing)
      properties[name] = { name: found.name, shape: found.all[0]!.shape, ...nested.fields }
    }
  }
  return { properties, missing }
}

function find(names: readonly string[], sides: readonly Properties[]) {
  for (const name of names) {
    const all = sides.map((side) => side.get(name)).filter((declared): declared is Declared => !!declared)
    if (all.length > 0) return { name, all }
  }
  return undefined
}

function nestedNames(
  place: string,
  { fields }: Attribute,
  declared: readonly Declared[],
  renames: Readonly<Record<string, string>>,
) {
  const sides = fields ? declared.flatMap((side) => (side.fields ? [side.fields()] : [])) : []
  if (!fields || sides.length === 0) return { missing: [] }
  const { properties, missing } = match(place, fields, sides, renames, new Set())
  return { fields: { fields: properties }, missing }
}
