import { isMapping } from './merge.ts'
import { remembered } from './remembered.ts'
import { type Configuration, configurationSchema, entitySchemas } from './schema.ts'
import { type Validated, validate } from './schema-problems.ts'

// Certificates are few, and their number has a limit.
const { certificates: _, ...manySchemas } = entitySchemas
type Many = keyof typeof manySchemas

/** What the schema makes of an entity; undefined: it refuses it. */
const parsers = Object.entries(manySchemas).map(
  ([collection, schema]) =>
    [
      collection as Many,
      remembered((entity: object): object | undefined => schema.safeParse(entity).data),
    ] as const,
)

/**
 * Checks a configuration by its schema. Entities that were checked before are not checked again, and are the same
 * objects in the result.
 * @param shown - what messages quote: see `validate`
 */
export function validateConfiguration(value: unknown, shown: unknown): Validated<Configuration> {
  const whole = () => validate(configurationSchema, value, shown)
  if (!isMapping(value)) return whole()
  const lists: Partial<Record<Many, readonly object[]>> = {}
  for (const [collection, parse] of parsers) {
    const list = value[collection] ?? []
    const parsed = Array.isArray(list)
      ? list.map((entity) => (isMapping(entity) ? parse(entity) : undefined))
      : [undefined]
    if (parsed.includes(undefined)) return whole()
    lists[collection] = parsed as object[]
  }
  const others = Object.fromEntries(Object.entries(value).filter(([key]) => !Object.hasOwn(manySchemas, key)))
  const result = validate(configurationSchema, others, shown)
  return result.success ? { success: true, data: { ...result.data, ...lists } as Configuration } : whole()
}
