import { TerraformStack } from 'cdktf'
import type { Construct } from 'constructs'
import { HostsGateway, hostsOf, type SshAccess } from '../constructs/index.ts'
import { dnsProps, edgeProps, type HostsEnvironment } from './environment.ts'
import type { EnvironmentFolder } from './environment-folder.ts'

/** An environment on machines that are there already, reached by SSH. */
export class HostsStack extends TerraformStack {
  constructor(scope: Construct, folder: EnvironmentFolder<HostsEnvironment>) {
    super(scope, folder.name)
    const { environment } = folder
    const usesSecrets = hostsOf(environment.hosts, 'redis').length > 0 || environment.dns !== undefined
    // terraform_data; with secrets, variables that are kept nowhere
    this.addOverride('terraform.required_version', usesSecrets ? '>= 1.10.0' : '>= 1.4.0')
    new HostsGateway(this, 'gateway', {
      hosts: environment.hosts.map(({ host_key: hostKey, ...host }) => ({ ...host, hostKey })),
      ...(environment.edge && { edge: edgeProps(environment.edge) }),
      ...(environment.dns && { dns: dnsProps(environment.dns) }),
      redis: { maxMemory: environment.redis.max_memory, secretVersion: environment.redis.secret_version },
      host: {
        configuration: folder.files,
        ingressPorts: folder.ingressPorts,
        managementNetworks: environment.management_networks,
        monitoringNetworks: environment.monitoring_networks,
        meshNetworks: environment.mesh_networks,
        clientLimits: {
          connections: environment.client_limits.connections,
          newPerSecond: environment.client_limits.new_per_second,
        },
        sshPort: environment.ssh.port,
        ...(environment.log_device && { logDevice: environment.log_device }),
        ...(folder.aptRepository && { aptRepository: folder.aptRepository }),
      },
      ssh: sshAccess(environment),
    })
  }
}

function sshAccess({ ssh: { user, private_key: privateKeyPath, bastion } }: HostsEnvironment): SshAccess {
  return {
    user,
    ...(privateKeyPath && { privateKeyPath }),
    ...(bastion && {
      bastion: {
        address: bastion.address,
        hostKey: bastion.host_key,
        port: bastion.port,
        user: bastion.user,
      },
    }),
  }
}
