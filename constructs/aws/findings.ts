import type { TerraformElement } from 'cdktf'

/**
 * Rules of policy scanners that do not fit a gateway everywhere, by their ids in checkov and trivy. A construct that
 * leaves one open says why beside the resource; deploy/scanners holds the same ids for the scanners themselves.
 */
export const acceptedRules = {
  'public-balancer': ['CKV2_AWS_20', 'AWS-0053'],
  'open-port-80': ['CKV_AWS_260'],
  'internet-egress': ['CKV_AWS_382', 'AWS-0104'],
  'no-replica': ['CKV_AWS_144'],
  'no-object-log': ['CKV_AWS_18', 'AWS-0089'],
  'no-rotation': ['CKV2_AWS_57', 'CKV_AWS_304'],
  'balanced-address': ['CKV2_AWS_19'],
  'no-query-log': ['CKV2_AWS_39'],
} as const
export type Rule = keyof typeof acceptedRules

/**
 * Writes beside a resource why a rule of the policy scanners does not hold for it. Terraform ignores what stands under
 * "//".
 * @param reason one sentence, for the person who reviews the plan
 */
export function accept(resource: TerraformElement, rule: Rule, reason: string) {
  resource.addOverride(`//.accepted.${rule}`, reason)
}
