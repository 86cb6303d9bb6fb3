import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import * as pulumi from '@pulumi/pulumi'
import { evaluate, referencesOf } from './evaluate.ts'
import { type Expression, parseTemplate } from './expression.ts'
import type { ProviderNames, TypeNames } from './names.ts'
import { lifecycleOptions, ownArguments } from './options.ts'
import { outputOf } from './output.ts'
import { type Conversion, toPulumi, toTerraform } from './properties.ts'
import { Provisioners } from './provisioners.ts'
import { blocks, isObject, type Json, type JsonObject, type TerraformJson } from './terraform-json.ts'

const require = createRequire(import.meta.url)

export interface DeploymentProps {
  /** Begins the name of each resource. */
  readonly name: string
  readonly parent: pulumi.Resource
  readonly stack: TerraformJson
  /** Folder that paths in the stack are relative to. */
  readonly directory: string
  readonly names: ProviderNames
}

/** A resource of Terraform's stack in Pulumi, or the result of a data source. */
interface Element {
  readonly resource?: pulumi.Resource
  /** What expressions read from it. */
  readonly attribute: (name: string) => pulumi.Output<unknown>
}

/** Whether all that it does is done on machines whose entry goes: here, they keep what was put on them. */
const isWhenGone = (body: JsonObject) => {
  const settings = blocks(body.provisioner).flatMap((block) => (isObject(block) ? Object.values(block) : []))
  return 'for_each' in body && settings.every((each) => isObject(each) && each.when === 'destroy')
}

/** Makes a stack's resources in Pulumi, each after those that it refers to. */
export class Deployment {
  readonly #props: DeploymentProps
  readonly #elements = new Map<string, Element>()
  readonly #providers = new Map<string, pulumi.ProviderResource>()
  /** What is being made, to find circles. */
  readonly #open = new Set<string>()
  readonly #conversion: Conversion

  constructor(props: DeploymentProps) {
    this.#props = props
    this.#conversion = {
      resolve: (text) => this.#resolve(text),
      asset: (path) => this.#asset(path),
      apply: (value, change) => (pulumi.Output.isInstance(value) ? value.apply(change) : change(value)),
    }
  }

  /**
   * Makes all.
   * @returns the outputs of the stack
   * @throws Error that names the place of what Pulumi cannot do
   */
  run(): Record<string, pulumi.Output<unknown>> {
    const { stack } = this.#props
    for (const [type, configurations] of Object.entries(stack.provider ?? {})) {
      for (const configuration of configurations) this.#createProvider(type, configuration)
    }
    for (const [type, resources] of Object.entries(stack.resource ?? {})) {
      for (const id of Object.keys(resources)) this.#element(`${type}.${id}`)
    }
    return Object.fromEntries(
      Object.entries(stack.output ?? {}).map(([key, { value, sensitive }]) => {
        const output = outputOf(this.#deep(value))
        return [key, sensitive ? pulumi.secret(output) : output]
      }),
    )
  }

  #createProvider(type: string, { alias, ...configuration }: JsonObject) {
    const names = this.#props.names.providers[type]
    if (!names)
      throw new Error(`the provider ${type} has no known name in Pulumi: give it with the option names`)
    const key = typeof alias === 'string' ? `${type}.${alias}` : type
    const args = toPulumi(`provider.${key}`, configuration, names.properties, this.#conversion)
    const Provider = member(names.token) as new (...values: unknown[]) => pulumi.ProviderResource
    this.#providers.set(
      key,
      new Provider(`${this.#props.name}-${key.replace('.', '-')}`, args, { parent: this.#props.parent }),
    )
  }

  /** @param path TYPE.ID or data.TYPE.ID */
  #element(path: string): Element {
    const known = this.#elements.get(path)
    if (known) return known
    if (this.#open.has(path)) throw new Error(`${[...this.#open, path].join(' → ')} is a circle`)
    this.#open.add(path)
    const element = this.#create(path)
    this.#open.delete(path)
    this.#elements.set(path, element)
    return element
  }

  #create(path: string): Element {
    const { stack } = this.#props
    const isData = path.startsWith('data.')
    const [type = '', id = ''] = path.replace(/^data\./, '').split('.')
    const body = (isData ? stack.data : stack.resource)?.[type]?.[id]
    if (!body) throw new Error(`${path} is not in the stack`)
    if (type === 'terraform_data' && isWhenGone(body)) return { attribute: () => this.#refuse(path) }
    if (type === 'terraform_data') return this.#createData(path, id, body)
    const names = this.#props.names[isData ? 'data' : 'resources'][type]
    if (!names) throw new Error(`${type} has no known name in Pulumi: give it with the option names`)
    if (body.provisioner) throw new Error(`${path}: provisioners are known here on terraform_data alone`)
    const options = {
      ...this.#options(type, body),
      ...(!isData && lifecycleOptions(path, body, names.properties)),
    }
    const args = toPulumi(path, ownArguments(body), names.properties, this.#conversion)
    return isData ? invoke(names, args, options) : this.#createResource(id, names, args, options)
  }

  #createResource(
    id: string,
    names: TypeNames,
    args: object,
    options: pulumi.CustomResourceOptions,
  ): Element {
    const Resource = member(names.token) as new (...values: unknown[]) => pulumi.CustomResource
    const resource = new Resource(`${this.#props.name}-${id}`, args, options)
    const values = resource as unknown as Record<string, pulumi.Output<unknown>>
    return { resource, attribute: (name) => (name === 'id' ? resource.id : attributeOf(values, names, name)) }
  }

  #refuse(path: string): never {
    throw new Error(`${path} is not made here: what it holds cannot be referred to`)
  }

  /** terraform_data keeps values and runs provisioners. */
  #createData(path: string, id: string, body: JsonObject): Element {
    const triggers = this.#deep(body.triggers_replace ?? null)
    const resource = new Provisioners(
      `${this.#props.name}-${id}`,
      {
        triggers,
        provisioners: blocks(body.provisioner),
        connection: body.connection,
        resolve: (value) => this.#deep(value),
      },
      this.#options('terraform_data', body),
    )
    const values: Record<string, unknown> = {
      id: resource.urn,
      triggers_replace: triggers,
      input: this.#deep(body.input ?? null),
      output: this.#deep(body.input ?? null),
    }
    const attribute = (name: string) => {
      if (!(name in values)) throw new Error(`${path} has no attribute ${name}`)
      return outputOf(values[name])
    }
    return { resource, attribute }
  }

  #options(type: string, body: JsonObject) {
    const key = typeof body.provider === 'string' ? body.provider : type.split('_')[0]!
    const provider = this.#providers.get(key)
    if (typeof body.provider === 'string' && !provider)
      throw new Error(`the provider ${key} is not in the stack`)
    const dependsOn = (Array.isArray(body.depends_on) ? body.depends_on : [])
      .map((path: string) => this.#element(path).resource)
      .filter((resource): resource is pulumi.Resource => resource !== undefined)
    return {
      parent: this.#props.parent,
      ...(provider && { provider }),
      ...(dependsOn.length > 0 && { dependsOn }),
    }
  }

  #asset(path: string) {
    const file = this.#resolve(path)
    if (typeof file !== 'string')
      throw new Error(`${path}: the path of a file must be known before the deployment`)
    return new pulumi.asset.FileAsset(resolve(this.#props.directory, file))
  }

  #deep(value: Json): unknown {
    if (typeof value === 'string') return this.#resolve(value)
    if (Array.isArray(value)) return value.map((item) => this.#deep(item))
    if (!isObject(value)) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#deep(item)]))
  }

  /** A plain value where the text refers to nothing that is only known later. */
  #resolve(text: string): unknown {
    const expression = parseTemplate(text)
    const references = referencesOf(expression)
    if (references.length === 0) return this.#evaluate(text, expression, new Map())
    const values: pulumi.Output<unknown>[] = references.map((reference) => this.#reference(text, reference))
    return pulumi
      .all(values)
      .apply((known) =>
        this.#evaluate(text, expression, new Map(references.map((name, index) => [name, known[index]]))),
      )
  }

  #evaluate(text: string, expression: Expression, values: ReadonlyMap<string, unknown>): unknown {
    try {
      return evaluate(expression, (reference) => values.get(reference))
    } catch (error) {
      throw new Error(`the expression ${text} has no value: ${(error as Error).message}`)
    }
  }

  #reference(text: string, reference: string): pulumi.Output<unknown> {
    const parts = reference.split('.')
    const name = parts.pop()!
    const { stack, directory } = this.#props
    if (parts[0] === 'path') return outputOf(name === 'cwd' ? process.cwd() : directory)
    if (parts[0] === 'var' && stack.variable?.[name]) return this.#variable(name)
    if (parts[0] === 'local' && stack.locals?.[name] !== undefined)
      return outputOf(this.#deep(stack.locals[name]!))
    if (parts.length < 2)
      throw new Error(`the expression ${text} refers to ${reference}, which is not known here`)
    return this.#element(parts.join('.')).attribute(name)
  }

  /** From the configuration of the Pulumi stack, else its default. */
  #variable(name: string): pulumi.Output<unknown> {
    const variable = this.#props.stack.variable![name]!
    const configuration = new pulumi.Config()
    const value = variable.sensitive ? configuration.getSecret(name) : configuration.get(name)
    const output = outputOf(value ?? variable.default ?? configuration.require(name))
    return variable.sensitive ? pulumi.secret(output) : output
  }
}

/** `aws:ec2/subnet:Subnet` is `ec2.Subnet` of the package @pulumi/aws. */
function member(token: string): unknown {
  const provider = /^pulumi:providers:(\w+)$/.exec(token)
  const [name = '', path = '', last = ''] = provider ? [provider[1], 'index', 'Provider'] : token.split(':')
  const [module = ''] = path.split('/')
  const all = require(`@pulumi/${name}`) as Record<string, Record<string, unknown>>
  const found = module === 'index' ? all[last] : all[module]?.[last]
  if (typeof found !== 'function') throw new Error(`@pulumi/${name} has no ${token}`)
  return found
}

function invoke(names: TypeNames, args: object, options: pulumi.InvokeOutputOptions): Element {
  const call = member(`${names.token}Output`) as (
    ...values: unknown[]
  ) => pulumi.Output<Record<string, unknown>>
  const result = call(args, options)
  return {
    attribute: (name) =>
      name === 'id'
        ? result.apply(({ id }) => id)
        : result.apply((values) => plainAttribute(values, names, name)),
  }
}

function attributeOf(values: Record<string, pulumi.Output<unknown>>, names: TypeNames, name: string) {
  const property = names.properties[name]
  if (!property) throw new Error(`${names.token} has no known attribute ${name}`)
  return outputOf(values[property.name]).apply((value) => toTerraform(value, property.fields))
}

function plainAttribute(values: Record<string, unknown>, names: TypeNames, name: string): unknown {
  const property = names.properties[name]
  if (!property) throw new Error(`${names.token} has no known attribute ${name}`)
  return toTerraform(values[property.name], property.fields)
}
