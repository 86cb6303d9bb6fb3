import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js'
import { TerraformStack, Testing } from 'cdktf'

/** Terraform's JSON of a stack: type → id → arguments. */
export interface Synthesized {
  readonly resource: Readonly<Record<string, Readonly<Record<string, Resource>>>>
  readonly data?: Readonly<Record<string, Readonly<Record<string, Resource>>>>
  readonly output?: Readonly<Record<string, unknown>>
  readonly provider?: Readonly<Record<string, readonly Resource[]>>
  readonly terraform: Readonly<Record<string, Resource>>
}
// biome-ignore lint/suspicious/noExplicitAny: arguments are whatever the provider's schema says
export type Resource = Readonly<Record<string, any>>

/** A new stack, which `build` fills. */
export function synthesize(build: (stack: TerraformStack) => void): Synthesized {
  const stack = new TerraformStack(Testing.app({ stackTraces: false }), 'stack')
  build(stack)
  return JSON.parse(Testing.synth(stack))
}

/** The same with what stands beside resources for people, under "//". */
export function synthesizeWhole(build: (stack: TerraformStack) => void): Synthesized {
  const stack = new TerraformStack(Testing.app({ stackTraces: false }), 'stack')
  new AwsProvider(stack, 'aws', { region: 'eu-central-1' })
  build(stack)
  return JSON.parse(readFileSync(join(Testing.fullSynth(stack), 'stacks/stack/cdk.tf.json'), 'utf8'))
}

/** All resources of a type. */
export const all = (json: Synthesized, type: string): Resource[] => Object.values(json.resource[type] ?? {})

/** The only resource of a type. */
export function only(json: Synthesized, type: string): Resource {
  const resources = all(json, type)
  if (resources.length !== 1) throw new Error(`expected one ${type}, got ${resources.length}`)
  return resources[0]!
}

/** References to resources and data sources which the stack does not have. */
export function danglingReferences(json: Synthesized): string[] {
  const text = JSON.stringify({ ...json, '//': undefined })
  const references = text.matchAll(/(?<![\w.])(data\.)?(aws_[a-z0-9_]+|terraform_data)\.([A-Za-z0-9_-]+)/g)
  return [...references]
    .filter(([, data, type, id]) => !(data ? json.data : json.resource)?.[type!]?.[id!])
    .map(([reference]) => reference)
}
