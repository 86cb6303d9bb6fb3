import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { installEngine } from './engines/install.ts'
import { root } from './process/tool.ts'
import { awsNames, renderNames } from './pulumi-names/render.ts'
import { step } from './terminal/progress.ts'

// Writes constructs/pulumi/aws-names.json anew, after an update of @pulumi/aws or @cdktf/provider-aws.
const modules = await step('Install Pulumi', () => installEngine('pulumi'))
const { names, missing } = await step('Compare names', () => awsNames(modules))
writeFileSync(join(root, 'constructs/pulumi/aws-names.json'), renderNames(names))
for (const path of missing) process.stdout.write(`  @pulumi/aws has no ${path}\n`)
