import type { ValidateFunction } from 'ajv/dist/2020.js'
import { type Place, placeOf, type SchemaSource } from './schema-source.ts'

/** A parameter as it was sent: one text, the texts of a list, or those of each field of an object. */
export type Texts = string | readonly string[] | ReadonlyMap<string, readonly string[]>
export type Kind = 'text' | 'list' | 'fields'

const longestWay = 32
const number = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/

/** What a schema says of the form of its values, whichever way it says it. */
class Shape {
  readonly types = new Set<string>()
  readonly properties = new Map<string, Place>()
  items: Place | undefined

  constructor(source: SchemaSource, place: Place) {
    this.#add(source, place, 0)
  }

  #add(source: SchemaSource, place: Place, way: number): void {
    const schema = source.at(place)
    if (typeof schema !== 'object' || schema === null || way > longestWay) return
    const { $ref, type, items, properties = {} } = schema as Record<string, unknown>
    for (const name of typeof type === 'string' ? [type] : ((type ?? typesOfValues(schema)) as string[]))
      this.types.add(name)
    if (items !== undefined) this.items ??= [...place, 'items']
    for (const name of Object.keys(properties as object))
      if (!this.properties.has(name)) this.properties.set(name, [...place, 'properties', name])
    const target = typeof $ref === 'string' ? placeOf($ref) : undefined
    if (target) this.#add(source, target, way + 1)
    for (const keyword of ['allOf', 'anyOf', 'oneOf']) {
      const parts = (schema as Record<string, unknown>)[keyword]
      if (!Array.isArray(parts)) continue
      for (const index of parts.keys()) this.#add(source, [...place, keyword, `${index}`], way + 1)
    }
  }
}

const typesOfValues = ({ const: value, enum: values = [] }: { const?: unknown; enum?: unknown[] }) =>
  (value === undefined ? values : [value]).map((one) => (one === null ? 'null' : typeof one))

/** Makes the values that a schema asks for out of the texts that a parameter is sent as. */
export class TypedValues {
  /** In which forms a value may come. */
  readonly kinds: readonly Kind[]
  /** Names of the properties that the schema knows of. */
  readonly properties: readonly string[]
  readonly #types: ReadonlySet<string>
  readonly #validate: ValidateFunction | undefined
  readonly #items: TypedValues | undefined
  readonly #fields: ReadonlyMap<string, TypedValues>

  /** @param depth - 1 and more: of an item or property */
  constructor(source: SchemaSource, place: Place, depth = 0) {
    const { types, items, properties } = new Shape(source, place)
    this.#types = types
    const kinds: Kind[] = types.size === 0 || [...types].some(isPrimitive) ? ['text'] : []
    if (types.has('array')) kinds.push('list')
    if (types.has('object')) kinds.push('fields')
    this.kinds = kinds
    this.properties = [...properties.keys()]
    this.#validate = depth > 0 && types.size !== 1 ? source.compile(place) : undefined
    const part = (of: Place) => new TypedValues(source, of, depth + 1)
    this.#items = items && depth < 2 ? part(items) : undefined
    this.#fields = new Map(depth < 2 ? [...properties].map(([name, of]) => [name, part(of)]) : [])
  }

  /** What the texts may mean: one value, or several where the schema leaves it open. */
  meanings(texts: Texts): unknown[] {
    if (typeof texts === 'string') return this.#primitives(texts)
    if (texts instanceof Map) return [this.fields(texts)]
    return [(texts as string[]).map((text) => meaningOf(this.#items, text))]
  }

  /** An object of what each of its fields was given. */
  fields(texts: ReadonlyMap<string, Texts>): object {
    return Object.fromEntries(
      [...texts].map(([name, values]) => [name, fieldOf(this.#fields.get(name), values)]),
    )
  }

  /** In which form a field of an object comes. */
  kindOf(name: string): Kind {
    return this.#fields.get(name)?.kinds.at(-1) ?? 'text'
  }

  /** The one among the meanings that the schema allows, or else the first. */
  meaning(texts: Texts): unknown {
    const meanings = this.meanings(texts)
    const validate = this.#validate
    return (validate && meanings.find((value) => validate(value))) ?? meanings[0]
  }

  #primitives(text: string): unknown[] {
    const types = this.#types
    const isOpen = types.size === 0
    const values: unknown[] = []
    if ((isOpen || types.has('number') || types.has('integer')) && number.test(text))
      values.push(Number(text))
    if ((isOpen || types.has('boolean')) && /^(true|false)$/.test(text)) values.push(text === 'true')
    if (types.has('null') && text === '') values.push(null)
    if (isOpen || types.has('string') || values.length === 0) values.push(text)
    return values
  }
}

const isPrimitive = (type: string) => type !== 'array' && type !== 'object'

const meaningOf = (values: TypedValues | undefined, texts: Texts) => (values ? values.meaning(texts) : texts)

/** A field that is given several times is a list, whatever its schema says: it then refuses that. */
function fieldOf(values: TypedValues | undefined, texts: Texts): unknown {
  const isOne = Array.isArray(texts) && texts.length === 1 && !values?.kinds.includes('list')
  return meaningOf(values, isOne ? (texts[0] as string) : texts)
}
