import type { Resource, Synthesized } from '../../constructs/synthesized.ts'

/** A resource with the address that Terraform gives it. */
export interface Placed {
  readonly address: string
  readonly type: string
  readonly resource: Resource
}

/** All resources of a stack, or those of some types. */
export const placed = (json: Synthesized, ...types: string[]): Placed[] =>
  Object.entries(json.resource)
    .filter(([type]) => types.length === 0 || types.includes(type))
    .flatMap(([type, resources]) =>
      Object.entries(resources).map(([id, resource]) => ({ address: `${type}.${id}`, type, resource })),
    )

/** Addresses of resources that a rule does not hold for. */
export const breaking = (resources: readonly Placed[], holds: (resource: Resource) => boolean): string[] =>
  resources.filter(({ resource }) => !holds(resource)).map(({ address }) => address)

/** Why a rule of scanners is left open at a resource. */
export const reasonFor = (resource: Resource, rule: string): string | undefined =>
  resource['//']?.accepted?.[rule]

export interface PolicyStatement {
  readonly Sid: string
  readonly Effect: 'Allow' | 'Deny'
  readonly Action: string | readonly string[]
  readonly Resource?: string | readonly string[]
  readonly Principal?: unknown
  readonly Condition?: unknown
}

/** Every statement of every policy in a stack, with why it has wildcards. */
export const statements = (json: Synthesized) =>
  placed(json).flatMap(({ address, resource }) =>
    [resource.policy, resource.assume_role_policy]
      .filter((policy) => typeof policy === 'string' && policy.includes('"Statement"'))
      .flatMap((policy: string) =>
        (JSON.parse(policy).Statement as PolicyStatement[]).map((statement) => ({
          address,
          statement,
          reason: resource['//']?.wildcards?.[statement.Sid] as string | undefined,
        })),
      ),
  )

export const listed = (value: string | readonly string[] = []): readonly string[] =>
  typeof value === 'string' ? [value] : value
