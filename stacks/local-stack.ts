import { join, resolve } from 'node:path'
import { TerraformStack } from 'cdktf'
import type { Construct } from 'constructs'
import { LocalGateway } from '../constructs/index.ts'
import type { LocalEnvironment } from './environment.ts'
import type { EnvironmentFolder } from './environment-folder.ts'

const root = resolve(import.meta.dirname, '..')

/** An environment on this machine, with the programs that `npm run build` leaves. */
export class LocalStack extends TerraformStack {
  constructor(scope: Construct, folder: EnvironmentFolder<LocalEnvironment>) {
    super(scope, folder.name)
    this.addOverride('terraform.required_version', '>= 1.4.0') // terraform_data
    new LocalGateway(this, 'gateway', {
      configuration: folder.files,
      directory: resolve(root, folder.environment.directory ?? join('.gatehouse', 'deploy', folder.name)),
      program: join(root, 'dist/gateway/gateway'),
      statusPort: folder.statusPort,
    })
  }
}
