import { readFileSync } from 'node:fs'

// biome-ignore lint/suspicious/noExplicitAny: arguments are whatever the provider's schema says
type Arguments = Readonly<Record<string, any>>

/** A resource of a synthesized stack. */
export interface StackResource {
  /** `aws_lb`. */
  readonly type: string
  /** `aws_lb.gateway_load-balancer_1911B0FB`. */
  readonly address: string
  /** Ids of the constructs that it stands in, from below the stack on: gateway, load-balancer, load-balancer. */
  readonly path: readonly string[]
  /** Its part of the gateway: the construct below the outermost one. */
  readonly part: string
  readonly arguments: Arguments
}

/** What a stack consists of, as its cdk.tf.json says. */
export interface StackGraph {
  readonly name: string
  readonly region: string | undefined
  readonly resources: readonly StackResource[]
  /** Kinds of things that are looked up: `aws_ami`. */
  readonly lookups: readonly string[]
  /** Resources of a type. */
  of(type: string): readonly StackResource[]
}

/** Reads a synthesized stack. */
export function readStackGraph(name: string, file: string): StackGraph {
  const json = JSON.parse(readFileSync(file, 'utf8'))
  const byType: Record<string, Record<string, Arguments>> = json.resource ?? {}
  const resources = Object.entries(byType).flatMap(([type, all]) =>
    Object.entries(all).map(([id, values]): StackResource => {
      const path: string[] = (values['//']?.metadata?.path ?? '').split('/').slice(1)
      return { type, address: `${type}.${id}`, path, part: path[1] ?? path[0] ?? type, arguments: values }
    }),
  )
  return {
    name,
    region: json.provider?.aws?.[0]?.region,
    resources,
    lookups: Object.keys(json.data ?? {}),
    of: (type) => resources.filter((resource) => resource.type === type),
  }
}
