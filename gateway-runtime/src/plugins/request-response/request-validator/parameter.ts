import type { ValidateFunction } from 'ajv/dist/2020.js'
import {
  decodeForm,
  decodePercent,
  decodeTexts,
  type ParameterIn,
  readFields,
  readText,
  Unreadable,
  type Writing,
} from './parameter-styles.ts'
import { describeErrors, type Place, type SchemaSource } from './schema-source.ts'
import type { SentRequest } from './sent-request.ts'
import { type Kind, type Texts, TypedValues } from './typed-values.ts'

/** A parameter of an operation, without its schema. */
export interface ParameterSettings extends Writing {
  readonly in: ParameterIn
  readonly required: boolean
  /** Whether `?name=` is right, whatever the schema says. */
  readonly allowEmpty: boolean
  /** Whether it is one JSON text. */
  readonly isJson: boolean
  /** Names that other parameters have: no fields of this one, where it takes all that are left. */
  readonly otherNames: ReadonlySet<string>
}

/** A parameter, ready to be looked for in requests. */
export class Parameter {
  readonly #settings: ParameterSettings
  readonly #values: TypedValues
  readonly #validate: ValidateFunction
  readonly #kinds: readonly Kind[]
  readonly #what: string

  /** @throws DocumentError */
  constructor(settings: ParameterSettings, source: SchemaSource, schema: Place) {
    this.#settings = settings
    this.#validate = source.compile(schema)
    this.#values = new TypedValues(source, schema)
    this.#kinds = settings.isJson
      ? ['text']
      : settings.style === 'deepObject'
        ? ['fields']
        : this.#values.kinds
    this.#what = `${settings.in} ${settings.name}`
  }

  /** What is wrong with it in a request; empty where it is right. */
  problems(sent: SentRequest): string[] {
    let problems: string[] = []
    for (const kind of this.#kinds) {
      problems = this.#problemsAs(kind, sent)
      if (problems.length === 0) return problems
    }
    return problems
  }

  #problemsAs(kind: Kind, sent: SentRequest): string[] {
    const { required, allowEmpty, isJson } = this.#settings
    const texts = this.#read(kind, sent)
    if (texts === undefined) return required ? [`${this.#what} is missing`] : []
    if (texts instanceof Unreadable) return [`${this.#what} ${texts.reason}`]
    if (allowEmpty && (texts === '' || (Array.isArray(texts) && texts.join('') === ''))) return []
    const values = isJson ? jsonOf(texts as string) : this.#values.meanings(texts)
    let problems: string[] | undefined
    for (const value of values) {
      if (this.#validate(value)) return []
      problems ??= describeErrors(this.#validate.errors, this.#what)
    }
    return problems ?? [`${this.#what} must be JSON`]
  }

  #read(kind: Kind, sent: SentRequest): Texts | Unreadable | undefined {
    const settings = this.#settings
    const texts = this.#sent(kind, sent)
    if (texts === undefined || texts instanceof Unreadable) return texts
    if (settings.in === 'header') return decodeTexts(texts, (text) => text.trim())
    return decodeTexts(texts, settings.in === 'query' ? decodeForm : decodePercent)
  }

  #sent(kind: Kind, sent: SentRequest): Texts | Unreadable | undefined {
    const settings = this.#settings
    if (settings.in === 'query' || settings.in === 'cookie') {
      const fields = settings.in === 'query' ? sent.query : sent.cookies
      return readFields(fields, settings, kind, this.#isPart)
    }
    const text =
      settings.in === 'path' ? sent.pathValues.get(settings.name) : sent.header(settings.name.toLowerCase())
    return text === undefined ? undefined : readText(text, settings, kind)
  }

  readonly #isPart = (name: string): boolean => {
    const { properties } = this.#values
    return properties.length > 0 ? properties.includes(name) : !this.#settings.otherNames.has(name)
  }
}

const jsonOf = (text: string): unknown[] => {
  try {
    return [JSON.parse(text)]
  } catch {
    return []
  }
}
