import { join } from 'node:path'
import { TerraformResource, type TerraformStack } from 'cdktf'
import { GatehouseApp, type GatehouseAppProps } from '../../stacks/app.ts'

/** What an environment would create. */
export interface SynthesizedEnvironment {
  readonly name: string
  /** aws, hosts or local. */
  readonly target: string
  /** Terraform's JSON: cdktf.out/stacks/NAME/cdk.tf.json. */
  readonly file: string
  /** Kind of resource, such as aws_subnet → how many. */
  readonly counts: ReadonlyMap<string, number>
}

/**
 * Writes Terraform's JSON of every environment, or of those that are named. Nothing is created, and neither Terraform
 * nor a network is needed.
 * @throws Error that names file, line and column when a file of an environment is wrong, or the environments there are
 * when a name is none of them; nothing is written then
 */
export function synthesizeEnvironments(props: GatehouseAppProps = {}): SynthesizedEnvironment[] {
  const app = new GatehouseApp(props)
  app.synth()
  return app.environments.map(({ folder, stack }) => ({
    name: stack.node.id,
    target: folder.environment.target,
    file: join(app.outdir, 'stacks', stack.node.id, 'cdk.tf.json'),
    counts: countResources(stack),
  }))
}

function countResources(stack: TerraformStack): Map<string, number> {
  const counts = new Map<string, number>()
  for (const element of stack.node.findAll()) {
    if (!TerraformResource.isTerraformResource(element)) continue
    const kind = element.terraformResourceType
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}
