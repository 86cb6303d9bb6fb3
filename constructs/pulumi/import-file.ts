import { awsNames, type ProviderNames } from './names.ts'
import { isObject } from './terraform-json.ts'

/** What `pulumi import --file` reads. */
export interface ImportFile {
  readonly resources: readonly ImportedResource[]
}

interface ImportedResource {
  readonly type: string
  readonly name: string
  /** As Terraform and Pulumi import it; none for components. */
  readonly id?: string
  readonly component?: true
  readonly parent?: string
}

interface State {
  readonly version: number
  readonly resources: readonly {
    readonly mode: string
    readonly type: string
    readonly name: string
    readonly instances: readonly {
      readonly index_key?: unknown
      readonly attributes?: Record<string, unknown>
    }[]
  }[]
}

/** What a resource is imported by where that is not its id, from the provider's documentation ("Import"). */
const importIds: Readonly<Record<string, string>> = {
  aws_autoscaling_lifecycle_hook: '{autoscaling_group_name}/{name}',
  aws_autoscaling_policy: '{autoscaling_group_name}/{name}',
  aws_cloudwatch_log_metric_filter: '{log_group_name}:{name}',
  aws_db_instance: '{identifier}',
  aws_iam_role_policy_attachment: '{role}/{policy_arn}',
  aws_kms_grant: '{key_id}:{grant_id}',
  aws_route:
    '{route_table_id}_{destination_cidr_block|destination_ipv6_cidr_block|destination_prefix_list_id}',
  aws_route_table_association: '{subnet_id|gateway_id}/{route_table_id}',
  aws_s3_object: '{bucket}/{key}',
}

/**
 * Takes what Terraform made over to Pulumi: nothing is made anew, Pulumi only learns of it.
 * @param stateText terraform.tfstate, or what `terraform state pull` prints
 * @param name of the TerraformConstructs that the resources belong to
 * @returns the file, and what cannot be imported as it exists in the state alone
 * @throws Error when the text is no state, or a resource in it has no known name in Pulumi
 */
export function importFile(
  stateText: string,
  name: string,
  names: ProviderNames = awsNames,
): { file: ImportFile; skipped: string[] } {
  const state: unknown = JSON.parse(stateText)
  if (!isState(state)) throw new Error('expected a state of Terraform, version 4')
  const skipped: string[] = []
  const component: ImportedResource = { type: 'gatehouse:terraform:Constructs', name, component: true }
  const resources = state.resources
    .filter(({ mode }) => mode === 'managed')
    .flatMap(({ type, name: id, instances }): ImportedResource[] => {
      const [instance, ...more] = instances
      if (type === 'terraform_data' || !instance) {
        skipped.push(`${type}.${id}`)
        return []
      }
      const known = names.resources[type]
      if (!known) throw new Error(`${type} has no known name in Pulumi`)
      if (more.length > 0 || instance.index_key !== undefined)
        throw new Error(`${type}.${id} has several instances`)
      return [
        {
          type: known.token,
          name: `${name}-${id}`,
          id: importId(type, id, instance.attributes ?? {}),
          parent: name,
        },
      ]
    })
  return { file: { resources: [component, ...resources] }, skipped }
}

const isState = (value: unknown): value is State =>
  isObject(value) && value.version === 4 && Array.isArray(value.resources)

function importId(type: string, id: string, attributes: Record<string, unknown>): string {
  const template = importIds[type] ?? '{id}'
  return template.replaceAll(/\{([^}]+)\}/g, (_, alternatives: string) => {
    const found = alternatives
      .split('|')
      .map((key) => attributes[key])
      .find((value) => value)
    if (typeof found !== 'string') throw new Error(`${type}.${id} has no ${alternatives} in the state`)
    return found
  })
}
