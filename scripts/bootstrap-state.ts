import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { App } from 'cdktf'
import { StateStack } from '../stacks/state-stack.ts'

const usage = `npm run bootstrap:state -- --region REGION [OPTIONS]

  Makes the S3 bucket (versioned, encrypted, TLS only) that keeps the state of environments, with Terraform and the
  credentials of this shell, and moves its own state into it. Once an account and region; running it again changes
  nothing. At the end it prints what to put into environment.yaml.

  --name NAME     begins the name of the bucket; gatehouse
  --synth         only write what Terraform would be given
  --help          this text
`

const root = resolve(import.meta.dirname, '..')

/** Writes the stack, and returns the folder that Terraform runs in. */
function synthesize(region: string, name: string): string {
  const outdir = join(root, 'cdktf.out')
  mkdirSync(outdir, { recursive: true })
  const app = new App({ stackTraces: false, outdir })
  const id = `state-${region}`
  new StateStack(app, id, { region, name })
  const { noDeprecation } = process
  process.noDeprecation = true // as GatehouseApp does: cdktf calls util.isArray
  app.synth()
  process.noDeprecation = noDeprecation ?? false
  // Where state stays until there is a bucket for it: cdktf.out may be deleted at any time.
  const directory = join(root, '.gatehouse', id)
  mkdirSync(directory, { recursive: true })
  cpSync(join(outdir, 'stacks', id, 'cdk.tf.json'), join(directory, 'cdk.tf.json'))
  return directory
}

function terraform(directory: string, ...args: string[]): string {
  const isQuiet = args[0] === 'output'
  const { status, stdout, error } = spawnSync('terraform', args, {
    cwd: directory,
    encoding: 'utf8',
    stdio: ['inherit', isQuiet ? 'pipe' : 'inherit', 'inherit'],
    env: { ...process.env, CHECKPOINT_DISABLE: '1', TF_IN_AUTOMATION: '1' },
  })
  if (error)
    throw new Error(`terraform could not be started: ${error.message}. Install Terraform 1.11 or newer`)
  if (status !== 0) throw new Error(`terraform ${args[0]} failed (see above)`)
  return stdout ?? ''
}

/** Makes the bucket, then keeps the state of the bucket in the bucket. */
function bootstrap(directory: string, region: string): string {
  const backend = join(directory, 'backend.tf.json')
  terraform(directory, 'init', '-input=false')
  terraform(directory, 'apply', '-input=false')
  const outputs = JSON.parse(terraform(directory, 'output', '-json'))
  const bucket: string = outputs.bucket_name.value
  const keyArn: string = outputs.key_arn.value
  if (!existsSync(backend)) {
    const s3 = {
      bucket,
      key: 'gatehouse/state.tfstate',
      region,
      encrypt: true,
      kms_key_id: keyArn,
      use_lockfile: true,
    }
    writeFileSync(backend, `${JSON.stringify({ terraform: { backend: { s3 } } }, null, 2)}\n`)
    terraform(directory, 'init', '-input=false', '-migrate-state', '-force-copy')
  }
  return `\n  The bucket is there. Put this into environment.yaml:\n\n  state: { bucket: ${bucket}, region: ${region}, kms_key: '${keyArn}' }\n`
}

function run(): string {
  const { values } = parseArgs({
    options: {
      region: { type: 'string' },
      name: { type: 'string', default: 'gatehouse' },
      synth: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return usage
  const { region, name, synth } = values
  if (!region || !/^[a-z]{2}(-[a-z]+)+-\d$/.test(region)) {
    throw new Error(`expected --region such as eu-central-1, got ${region ?? 'none'}`)
  }
  const directory = synthesize(region, name)
  return synth ? `  Wrote ${join(directory, 'cdk.tf.json')}\n` : bootstrap(directory, region)
}

try {
  process.stdout.write(run())
} catch (error) {
  process.stderr.write(`bootstrap:state: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
