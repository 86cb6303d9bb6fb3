import type { HeaderName } from './http1/header-name.ts'
import { settableField } from './plugin-field.ts'

type Field = readonly [name: HeaderName, value: string]

/** Fields that a plugin gives all answers, and takes from them. What can be done once is done when it is configured. */
export class ResponseFields {
  readonly #fields: readonly Field[]
  readonly #hidden: ReadonlySet<string>
  /** Of HTTP/1.1, with line ends. */
  readonly lines: string

  private constructor(fields: readonly Field[], hidden: ReadonlySet<string>) {
    this.#fields = fields
    this.#hidden = hidden
    this.lines = fields.map(([{ raw }, value]) => `${raw}: ${value}\r\n`).join('')
  }

  /** @throws TypeError where one is no field, or the gateway alone says what stands there */
  static of(
    set: readonly (readonly [name: string, value: string])[],
    removed: readonly string[],
  ): ResponseFields {
    const fields = set.map(([name, value]): Field => [settableField(name, value), value])
    const names = [...fields.map(([name]) => name), ...removed.map((name) => settableField(name, ''))]
    return new ResponseFields(fields, new Set(names.map(({ lower }) => lower)))
  }

  /** Whether the client does not see the upstream's field of this name; lower-case. */
  hides(name: string): boolean {
    return this.#hidden.has(name)
  }

  /** The same, but for those that another plugin has set or taken away since. */
  except(isLater: (name: string) => boolean): ResponseFields {
    const fields = this.#fields.filter(([{ lower }]) => !isLater(lower))
    return fields.length === this.#fields.length ? this : new ResponseFields(fields, this.#hidden)
  }

  write(sink: { field(name: HeaderName, value: string): void }): void {
    for (const [name, value] of this.#fields) sink.field(name, value)
  }
}
