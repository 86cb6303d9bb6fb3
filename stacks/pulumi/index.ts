// Deploys stacks/environments/NAME, NAME being the name of Pulumi's stack: `pulumi up --stack production`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getStack } from '@pulumi/pulumi'
import { TerraformConstructs } from '../../constructs/pulumi/index.ts'
import { GatehouseApp } from '../app.ts'

const outdir = mkdtempSync(join(tmpdir(), 'gatehouse-pulumi-'))
process.once('exit', () => rmSync(outdir, { recursive: true, force: true }))

/** Outputs by Terraform's stack: one for each region of the environment. */
export const outputs = Object.fromEntries(
  new GatehouseApp({ names: [getStack()], outdir }).environments.map(({ stack }) => [
    stack.node.id,
    new TerraformConstructs(stack.node.id, stack).outputs,
  ]),
)
