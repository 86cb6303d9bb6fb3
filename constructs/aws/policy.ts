import type { TerraformElement } from 'cdktf'

type OneOrMore<T> = readonly [T, ...T[]]

/** A statement of an IAM or resource policy. */
export interface Statement {
  /** Says what it is for, in letters and digits: `ReadConfiguration`. */
  readonly sid: string
  /** @default 'Allow' */
  readonly effect?: 'Allow' | 'Deny'
  /** `service:Action`. */
  readonly actions: OneOrMore<string>
  /** ARNs; in the policy of a key, "*" is the key itself. */
  readonly resources: readonly string[]
  /** In policies of resources: kind (AWS, Service) → who. `*` stands for everybody, and belongs to Deny only. */
  readonly principals?: Readonly<Record<string, readonly string[]>> | '*'
  /** Operator → key → values. */
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>
  /** Why an action or a resource has a "*"; must be given where there is one in an Allow. */
  readonly wildcardReason?: string
}

const hasWildcard = ({ actions, resources }: Statement) =>
  [...actions, ...resources].some((text) => text.includes('*'))

/**
 * A policy document as JSON.
 * @throws Error when a statement allows a wildcard and does not say why, or two have one sid
 */
export function policyDocument(statements: readonly Statement[]): string {
  const problems = statements.flatMap((statement) => problemsOf(statement))
  const sids = statements.map(({ sid }) => sid)
  if (new Set(sids).size < sids.length) problems.push(`expected each sid once, got ${sids.join(', ')}`)
  if (problems.length > 0) throw new Error(`policy: ${problems.join('; ')}`)
  return JSON.stringify({ Version: '2012-10-17', Statement: statements.map(render) })
}

function problemsOf(statement: Statement): string[] {
  const { sid, effect = 'Allow', resources, wildcardReason } = statement
  const problems: string[] = []
  if (!/^[A-Za-z0-9]+$/.test(sid)) problems.push(`sid: expected letters and digits, got ${sid}`)
  if (resources.length === 0) problems.push(`${sid}: expected a resource, got none`)
  if (effect === 'Allow' && hasWildcard(statement) && !wildcardReason) {
    problems.push(`${sid} allows a wildcard: name the actions and resources, or give a wildcardReason`)
  }
  return problems
}

const render = ({ sid, effect = 'Allow', actions, resources, principals, conditions }: Statement) => ({
  Sid: sid,
  Effect: effect,
  ...(principals && { Principal: principals }),
  Action: actions,
  Resource: resources,
  ...(conditions && { Condition: conditions }),
})

/** Writes beside a resource why its policy has wildcards, by sid. Terraform ignores what stands under "//". */
export function explainWildcards(resource: TerraformElement, statements: readonly Statement[]) {
  for (const { sid, wildcardReason } of statements) {
    if (wildcardReason) resource.addOverride(`//.wildcards.${sid}`, wildcardReason)
  }
}

/** The trust policy of a role that a service takes on. */
export const trustService = (service: string, conditions?: Statement['conditions']) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'sts:AssumeRole',
        Principal: { Service: service },
        ...(conditions && { Condition: conditions }),
      },
    ],
  })
