import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../process/tool.ts'

/** What Terraform's provider takes or gives under a name. */
export interface Attribute {
  readonly kind: 'string' | 'number' | 'boolean' | 'any' | 'map' | 'list' | 'object'
  /** Of lists, maps and objects: what they hold; none for scalars. */
  readonly fields?: Fields
  /** false where it can only be read. */
  readonly isInput: boolean
}

export type Fields = Readonly<Record<string, Attribute>>

/**
 * The schema of a resource or data source, read from the code that @cdktf/provider-aws was generated with.
 * @param type such as aws_subnet
 */
export function terraformSchema(type: string, isData = false): Fields {
  const name = isData ? `data-${type}` : type.slice('aws_'.length)
  return schemaOf(name.replaceAll('_', '-'))
}

/** What configures the AWS provider. */
export function providerSchema(): Fields {
  const { alias: _, ...fields } = schemaOf('provider') // which Pulumi has no need of
  return fields
}

function schemaOf(module: string): Fields {
  const file = join(root, 'node_modules/@cdktf/provider-aws/lib', module, 'index.js')
  return new Bindings(readFileSync(file, 'utf8')).resource()
}

class Bindings {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  resource(): Fields {
    const inputs = this.#inputs(
      /synthesizeAttributes\(\) \{\s*return \{([\s\S]*?)\n {8}\};/.exec(this.#text)?.[1] ?? '',
    )
    const start = this.#text.lastIndexOf(' extends cdktf.Terraform')
    return { ...this.#outputs(this.#text.slice(start)), ...inputs }
  }

  /** The lines `name: mapper(…)` of what is sent to Terraform. */
  #inputs(body: string): Fields {
    const lines = [...body.matchAll(/^\s*([a-z0-9_]+): (.+?),?$/gm)]
    return Object.fromEntries(lines.map(([, name, mapper]) => [name!, this.#input(mapper!)]))
  }

  #input(mapper: string): Attribute {
    const scalar = /^cdktf\.(string|number|boolean|any)ToTerraform\(/.exec(mapper)
    if (scalar) return { kind: scalar[1] as 'string', isInput: true }
    if (/^cdktf\.hashMapper/.test(mapper)) return { kind: 'map', isInput: true }
    const list = /^cdktf\.listMapper\((?:\w+\.)?(\w+)ToTerraform/.exec(mapper)
    if (list) return { kind: 'list', isInput: true, ...this.#struct(list[1]!) }
    const object = /^(?:\w+\.)?(\w+)ToTerraform\(/.exec(mapper)
    if (object) return { kind: 'object', isInput: true, ...this.#struct(object[1]!) }
    return { kind: 'any', isInput: true }
  }

  #struct(name: string): { fields?: Fields } {
    const body = new RegExp(
      `function ${name}ToTerraform\\(struct\\) \\{[\\s\\S]*?return \\{([\\s\\S]*?)\\n {4}\\};`,
    ).exec(this.#text)?.[1]
    return body === undefined ? {} : { fields: this.#inputs(body) }
  }

  /** What getters read. */
  #outputs(body: string): Fields {
    const own = body.slice(0, /\n\}\n/.exec(body)?.index)
    const scalars = [
      ...own.matchAll(
        /this\.get(String|Number|Boolean|List|StringMap|Any\w*|\w+Map)Attribute\(['"]([a-z0-9_]+)['"]\)/g,
      ),
    ]
    const complex = [
      ...own.matchAll(/new (?:\w+\.)?(\w+?)(List|OutputReference|Map)\(this, ['"]([a-z0-9_]+)['"]/g),
    ]
    return Object.fromEntries([
      ...scalars.map(([, kind, name]) => [name!, { kind: scalarKind(kind!), isInput: false }]),
      ...complex
        .filter(([, struct]) => !/^(String|Number|Boolean|Any)/.test(struct!))
        .map(([, struct, kind, name]) => [name!, this.#outputStruct(struct!, kind!)]),
    ])
  }

  #outputStruct(name: string, kind: string): Attribute {
    const start = this.#text.indexOf(`class ${name}OutputReference extends`)
    const fields = start < 0 ? undefined : this.#outputs(this.#text.slice(start))
    return { kind: kind === 'List' ? 'list' : 'object', isInput: false, ...(fields && { fields }) }
  }
}

const scalarKind = (getter: string): Attribute['kind'] => {
  if (getter === 'List') return 'list'
  if (getter.endsWith('Map')) return 'map'
  return getter.toLowerCase() as 'string'
}
