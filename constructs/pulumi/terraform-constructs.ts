import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import * as pulumi from '@pulumi/pulumi'
import { App, TerraformStack } from 'cdktf'
import { Deployment } from './deployment.ts'
import { awsNames, mergeNames, type ProviderNames } from './names.ts'
import type { TerraformJson } from './terraform-json.ts'

/** Where constructs come from: what fills a stack, or a stack that is filled. */
export type Constructs = TerraformStack | ((scope: TerraformStack) => unknown)

export interface TerraformConstructsOptions extends pulumi.ComponentResourceOptions {
  /**
   * Names of further resource types, data sources and providers in Pulumi; they win over those that are known.
   * @default what the constructs of Gatehouse use of AWS
   */
  readonly names?: Partial<ProviderNames>
}

/**
 * Constructs that are written for Terraform, in a program of Pulumi: every resource of theirs becomes one of Pulumi's
 * providers, below this component. Where they configure no provider, the one of the component is taken.
 * @example
 * new TerraformConstructs('gateway', (scope) => new Gateway(scope, 'gateway', props))
 * @throws Error that names the resource and argument, or the expression, which has no counterpart in Pulumi
 */
export class TerraformConstructs extends pulumi.ComponentResource {
  /** Values of the TerraformOutputs, by name; secret where they are sensitive. */
  readonly outputs: Readonly<Record<string, pulumi.Output<unknown>>>

  constructor(name: string, constructs: Constructs, options: TerraformConstructsOptions = {}) {
    const { names = {}, ...rest } = options
    super('gatehouse:terraform:Constructs', name, {}, rest)
    const file = synthesize(name, constructs)
    const stack: TerraformJson = JSON.parse(readFileSync(file, 'utf8'))
    const known = mergeNames(awsNames, { resources: {}, data: {}, providers: {}, ...names })
    this.outputs = new Deployment({ name, parent: this, stack, directory: dirname(file), names: known }).run()
    this.registerOutputs(this.outputs)
  }
}

/** Terraform's JSON of a stack: the path of its file. */
function synthesize(name: string, constructs: Constructs): string {
  const stack = typeof constructs === 'function' ? new TerraformStack(temporaryApp(), name) : constructs
  if (typeof constructs === 'function') {
    constructs(stack)
    validate(stack)
  }
  const app = App.of(stack)
  app.synth()
  return join(app.outdir, 'stacks', stack.node.id, 'cdk.tf.json')
}

/** All checks but the one of the stack itself, which wants a provider: that of the component may serve. */
function validate(stack: TerraformStack) {
  const errors = stack.node
    .findAll()
    .filter((construct) => construct !== stack)
    .flatMap((construct) => construct.node.validate().map((error) => `${construct.node.path}: ${error}`))
  if (errors.length > 0) throw new Error(errors.join('\n'))
}

/** Its folder stays until the program ends: Pulumi reads assets from it. */
function temporaryApp(): App {
  const outdir = mkdtempSync(join(tmpdir(), 'gatehouse-pulumi-'))
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }))
  return new App({ outdir, stackTraces: false, skipValidation: true })
}
