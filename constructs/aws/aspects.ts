import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js'
import { Annotations, type IAspect, TerraformResource } from 'cdktf'
import type { IConstruct } from 'constructs'

type Tags = Readonly<Record<string, string>>

/**
 * Puts tags on every resource below a construct that can have them; those that a resource has itself win.
 *
 * @example
 * Aspects.of(stack).add(new TagAll({ team: 'platform', 'cost-center': '4711' }))
 */
export class TagAll implements IAspect {
  readonly #tags: Tags

  constructor(tags: Tags) {
    this.#tags = tags
  }

  visit(node: IConstruct) {
    if (isTaggable(node)) node.tags = { ...this.#tags, ...node.tagsInput }
  }
}

const isTaggable = (node: IConstruct): node is IConstruct & { tags: Tags; readonly tagsInput?: Tags } =>
  TerraformResource.isTerraformResource(node) && 'tags' in node && 'tagsInput' in node

/**
 * Gives every role below a construct a permissions boundary, which many accounts demand.
 *
 * @example
 * Aspects.of(stack).add(new PermissionsBoundary('arn:aws:iam::123456789012:policy/boundary'))
 */
export class PermissionsBoundary implements IAspect {
  readonly #policyArn: string

  /** @param policyArn ARN of the policy that no role of a construct may go beyond */
  constructor(policyArn: string) {
    this.#policyArn = policyArn
  }

  visit(node: IConstruct) {
    if (isRole(node)) node.permissionsBoundary = this.#policyArn
  }
}

const isRole = (node: IConstruct): node is IamRole =>
  TerraformResource.isTerraformResource(node) && node.terraformResourceType === IamRole.tfResourceType

/**
 * Holds the names of a team's resources to its convention: synthesis fails for one that does not match. Names that
 * follow at deployment, or are paths, are left alone.
 *
 * @example
 * Aspects.of(stack).add(new NamingConvention(/^edge-/, 'expected names that begin with "edge-"'))
 */
export class NamingConvention implements IAspect {
  readonly #pattern: RegExp
  readonly #rule: string

  /**
   * @param pattern what every name must match
   * @param rule what is said of one that does not, after the name
   */
  constructor(pattern: RegExp, rule: string) {
    this.#pattern = pattern
    this.#rule = rule
  }

  visit(node: IConstruct) {
    if (!TerraformResource.isTerraformResource(node)) return
    const name = (node as unknown as { nameInput?: unknown }).nameInput
    if (typeof name !== 'string' || name.includes('${') || /[/.]/.test(name) || this.#pattern.test(name))
      return
    Annotations.of(node).addError(`name ${JSON.stringify(name)}: ${this.#rule}`)
  }
}
