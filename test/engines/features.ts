import type { Deployed } from '../constructs/pulumi/deploy.ts'

/** A stack as Terraform reads it. */
// biome-ignore lint/suspicious/noExplicitAny: whatever a stack has
type Stack = any

/** One row of the table of features in docs/engines.md: a program that needs the feature, and how each engine shows it. */
export interface Feature {
  readonly label: string
  /** What a program builds below `scope`. */
  readonly build: string
  /** Whether Terraform's JSON has it: under cdktf, CDK Terrain and as exported. */
  readonly isIn: (stack: Stack) => boolean
  /** What Pulumi makes of it. */
  readonly pulumi: {
    readonly says: string
    readonly shows: (deployed: Deployed) => boolean
  }
  /** What the error says where Pulumi cannot do it. */
  readonly refused?: RegExp
}

const refused = { says: 'an error that names the place', shows: () => false }

export const features: readonly Feature[] = [
  {
    label: 'several regions, aliases of providers',
    build: `
      new AwsProvider(scope, 'aws', { region: 'eu-central-1' })
      const west = new AwsProvider(scope, 'west', { alias: 'west', region: 'eu-west-1' })
      new SnsTopic(scope, 'topic', { provider: west })`,
    isIn: ({ provider, resource }) =>
      provider.aws[1].alias === 'west' && resource.aws_sns_topic.topic.provider === 'aws.west',
    pulumi: {
      says: 'yes',
      shows: ({ resources }) => resources.some(({ provider }) => provider.includes('::test-aws-west::')),
    },
  },
  {
    label: 'data sources',
    build: `
      const region = new DataAwsRegion(scope, 'region')
      new SnsTopic(scope, 'topic', { displayName: region.region })`,
    isIn: ({ data, resource }) =>
      data.aws_region.region && resource.aws_sns_topic.topic.display_name.includes('data.aws_region.region'),
    pulumi: {
      says: 'invokes',
      shows: ({ calls }) => calls.some(({ token }) => token === 'aws:index/getRegion:getRegion'),
    },
  },
  {
    label: '`depends_on`, `prevent_destroy`, `ignore_changes`, `create_before_destroy`',
    build: `
      const lifecycle = { preventDestroy: true, ignoreChanges: ['display_name'], createBeforeDestroy: true }
      const first = new SnsTopic(scope, 'first')
      new SnsTopic(scope, 'topic', { dependsOn: [first], lifecycle })`,
    isIn: ({ resource: { aws_sns_topic: topics } }) =>
      topics.topic.depends_on[0] === 'aws_sns_topic.first' &&
      ['create_before_destroy', 'ignore_changes', 'prevent_destroy'].every(
        (key) => topics.topic.lifecycle[key],
      ),
    pulumi: {
      says: 'options of resources',
      shows: ({ resources }) =>
        resources.some(
          ({ options }) =>
            options?.protect &&
            !options.deleteBeforeReplace &&
            options.ignoreChanges[0] === 'displayName' &&
            options.dependencies[0] === 'test-first',
        ),
    },
  },
  {
    label: 'provisioners of `terraform_data`',
    build: `
      new TerraformData(scope, 'host', {
        triggersReplace: { a: 'b' },
        provisioners: [{ type: 'remote-exec', inline: ['true'], connection: { type: 'ssh', host: '192.0.2.1' } }],
      })`,
    isIn: ({ resource }) => resource.terraform_data.host.provisioner[0]['remote-exec'].inline[0] === 'true',
    pulumi: {
      says: 'commands of `@pulumi/command`',
      shows: ({ resources }) => resources.some(({ type }) => type === 'command:remote:Command'),
    },
  },
  {
    label: 'functions in expressions: those of `constructs/pulumi/functions.ts`',
    build: `
      new SnsTopic(scope, 'topic', { displayName: Fn.join('-', ['a', Fn.upper('b')]) })`,
    isIn: ({ resource }) => resource.aws_sns_topic.topic.display_name.includes('join('),
    pulumi: {
      says: 'yes',
      shows: ({ resources }) => resources.some(({ inputs }) => inputs.displayName === 'a-B'),
    },
  },
  {
    label: 'other functions',
    build: `
      new SnsTopic(scope, 'topic', { displayName: Fn.title('x') })`,
    isIn: ({ resource }) => resource.aws_sns_topic.topic.display_name.includes('title('),
    pulumi: { ...refused, says: 'an error that names the expression' },
    refused: /title\(.*the function title is not known here/,
  },
  {
    label: '`count`, `for_each`',
    build: `
      new SnsTopic(scope, 'topic', { count: 2 })`,
    isIn: ({ resource }) => resource.aws_sns_topic.topic.count === 2,
    pulumi: refused,
    refused: /aws_sns_topic\.topic: count is not known here/,
  },
  {
    label: '`replace_triggered_by`',
    build: `
      const first = new SnsTopic(scope, 'first')
      new SnsTopic(scope, 'topic', { lifecycle: { replaceTriggeredBy: [first.fqn] } })`,
    isIn: ({ resource }) => resource.aws_sns_topic.topic.lifecycle.replace_triggered_by.length === 1,
    pulumi: refused,
    refused: /aws_sns_topic\.topic: lifecycle\.replace_triggered_by is not known here/,
  },
  {
    label: 'provisioners of other resources',
    build: `
      new SnsTopic(scope, 'topic', { provisioners: [{ type: 'local-exec', command: 'true' }] })`,
    isIn: ({ resource }) => resource.aws_sns_topic.topic.provisioner[0]['local-exec'].command === 'true',
    pulumi: refused,
    refused: /aws_sns_topic\.topic: provisioners are known here on terraform_data alone/,
  },
  {
    label: 'resource types that Gatehouse does not use',
    build: `
      new AcmCertificate(scope, 'certificate', { domainName: 'api.example.com' })`,
    isIn: ({ resource }) => resource.aws_acm_certificate.certificate.domain_name === 'api.example.com',
    pulumi: { ...refused, says: 'by the option `names`, else an error that names the type' },
    refused: /aws_acm_certificate has no known name in Pulumi: give it with the option names/,
  },
]

const imports = `
import { AcmCertificate } from '@cdktf/provider-aws/lib/acm-certificate/index.js'
import { DataAwsRegion } from '@cdktf/provider-aws/lib/data-aws-region/index.js'
import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js'
import { SnsTopic } from '@cdktf/provider-aws/lib/sns-topic/index.js'
import { App, Fn, TerraformStack } from 'cdktf'
import { TerraformData } from '#root/constructs/terraform.ts'
`

/** A program that prints the stack of each feature. `#root` is the project that it runs in. */
export const synthesizingProgram = `${imports}
import { readFileSync } from 'node:fs'
const app = new App({ outdir: import.meta.dirname, skipValidation: true })
const builds = [${features.map(({ build }) => `(scope) => { ${build} }`).join(', ')}]
for (const [index, build] of builds.entries()) build(new TerraformStack(app, 'feature-' + index))
app.synth()
const stack = (index) => import.meta.dirname + '/stacks/feature-' + index + '/cdk.tf.json'
console.log(JSON.stringify(builds.map((_, index) => JSON.parse(readFileSync(stack(index), 'utf8')))))
`

/** The program of one feature for Pulumi. */
export const pulumiProgram = ({ build }: Feature) => `${imports}
import { TerraformConstructs } from '#root/constructs/pulumi/index.ts'
export const { outputs } = new TerraformConstructs('test', (scope) => { ${build} })
`
