import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A property of a resource or structure, as @pulumi/aws declares it. */
export interface Declared {
  /** `string`, `number`, `boolean`, `any`, `map` or `object`, with `[]` behind for each list around it. */
  readonly shape: string
  /** Of objects; read when it is asked for, as some hold themselves. */
  readonly fields?: () => Properties
}

export type Properties = ReadonlyMap<string, Declared>

export interface Declaration {
  readonly inputs: Properties
  readonly outputs: Properties
}

/** The type declarations of an installed @pulumi/aws. */
export class Declarations {
  readonly #directory: string
  readonly #structures = { inputs: '', outputs: '' }

  /** @param modules folder node_modules that it is in */
  constructor(modules: string) {
    this.#directory = join(modules, '@pulumi/aws')
    this.#structures = {
      inputs: this.#read('types/input'),
      outputs: this.#read('types/output'),
    }
  }

  /**
   * @param token such as aws:ec2/subnet:Subnet, or aws:ec2/getAmi:getAmi
   * @throws Error when there is no such resource or function
   */
  find(token: string): Declaration {
    const [, path, member] = token.split(':') as [string, string, string]
    const text = this.#read(path.replace(/^index\//, ''))
    if (!member.startsWith('get')) {
      const start = text.indexOf(`export declare class ${member} extends`)
      if (start < 0) throw new Error(`@pulumi/aws has no ${token}`)
      const args = this.#block(text, `${member}Args`)
      return {
        inputs: this.#properties(args),
        outputs: this.#properties(text.slice(start, text.indexOf('constructor(', start))),
      }
    }
    const name = member[0]!.toUpperCase() + member.slice(1)
    return {
      inputs: this.#properties(this.#block(text, `${name}Args`)),
      outputs: this.#properties(this.#block(text, `${name}Result`)),
    }
  }

  /** What configures the provider. */
  provider(): Properties {
    return this.#properties(this.#block(this.#read('provider'), 'ProviderArgs'))
  }

  #read(path: string): string {
    return readFileSync(join(this.#directory, `${path}.d.ts`), 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '')
  }

  /** What stands between the braces of an interface. */
  #block(text: string, name: string): string {
    const head = new RegExp(`^( *)(?:export )?interface ${name} \\{\n`, 'm').exec(text)
    if (!head) throw new Error(`@pulumi/aws has no interface ${name}`)
    const start = head.index + head[0].length
    return text.slice(start - 1, text.indexOf(`\n${head[1]}}`, start - 1))
  }

  #properties(block: string): Properties {
    const entries = [...block.matchAll(/^ +(?:readonly )?(\w+)\??: ((?:[^;{]|\{[^}]*\})+);/gm)]
    return new Map(entries.map(([, name, type]) => [name!, this.#declared(type!)]))
  }

  #declared(type: string): Declared {
    const plain = unwrap(type)
    if (plain.endsWith('[]')) {
      const { shape, ...rest } = this.#declared(plain.slice(0, -2))
      return { shape: `${shape}[]`, ...rest }
    }
    const structure = /\b(inputs|outputs)\.(?:(\w+)\.)?(\w+)$/.exec(plain)
    if (structure) return { shape: 'object', fields: () => this.#structure(structure) }
    if (plain.startsWith('{')) return { shape: 'map' }
    return {
      shape: /asset\./.test(plain)
        ? 'asset'
        : (/\b(string|number|boolean)\b/.exec(plain)?.[0] ??
          (/enums|ARN|Region/.test(plain) ? 'string' : 'any')),
    }
  }

  #structure([, kind, module, name]: RegExpExecArray): Properties {
    const text = this.#structures[kind as 'inputs']
    const start = module ? text.indexOf(`\nexport declare namespace ${module} {`) : 0
    const end = module ? text.indexOf('\n}', start) : text.length
    return this.#properties(this.#block(text.slice(start, end), name!))
  }
}

/** `pulumi.Input<pulumi.Input<string>[] | undefined>` → `string[]`. */
function unwrap(type: string): string {
  const plain = type.trim().replaceAll(/ \| undefined/g, '')
  const inner = /^pulumi\.(?:Input|Output)<([\s\S]*)>$/.exec(plain)
  if (inner && isBalanced(inner[1]!)) return unwrap(inner[1]!)
  const list = /^pulumi\.(?:Input|Output)<([\s\S]*)>\[\]$/.exec(plain)
  if (list && isBalanced(list[1]!)) return `${unwrap(list[1]!)}[]`
  const parenthesized = /^\(([^()]*)\)\[\]$/.exec(plain)
  return parenthesized ? `${parenthesized[1]!.split(' | ')[0]}[]` : plain
}

function isBalanced(text: string): boolean {
  let depth = 0
  for (const character of text.replaceAll('=>', '')) {
    if (character === '<') depth++
    if (character === '>' && --depth < 0) return false
  }
  return depth === 0
}
