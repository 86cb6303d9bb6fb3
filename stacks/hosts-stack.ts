import { TerraformStack } from 'cdktf'
import type { Construct } from 'constructs'
import { HostsGateway } from '../constructs/index.ts'
import type { HostsEnvironment } from './environment.ts'
import type { EnvironmentFolder } from './environment-folder.ts'

/** An environment on machines that are there already, reached by SSH. */
export class HostsStack extends TerraformStack {
  constructor(scope: Construct, folder: EnvironmentFolder<HostsEnvironment>) {
    super(scope, folder.name)
    this.addOverride('terraform.required_version', '>= 1.4.0') // terraform_data
    const { environment } = folder
    new HostsGateway(this, 'gateway', {
      hosts: environment.hosts
        .filter(({ roles }) => roles.includes('gateway'))
        .map(({ name, address, host_key: hostKey }) => ({ name, address, hostKey })),
      host: {
        configuration: folder.files,
        ingressPorts: folder.ingressPorts,
        managementNetworks: environment.management_networks,
        monitoringNetworks: environment.monitoring_networks,
        sshPort: environment.ssh.port,
        ...(environment.log_device && { logDevice: environment.log_device }),
        ...(folder.aptRepository && { aptRepository: folder.aptRepository }),
      },
      ssh: {
        user: environment.ssh.user,
        ...(environment.ssh.private_key && { privateKeyPath: environment.ssh.private_key }),
      },
    })
  }
}
