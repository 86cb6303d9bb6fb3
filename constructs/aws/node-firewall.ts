import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { VpcSecurityGroupEgressRule } from '@cdktf/provider-aws/lib/vpc-security-group-egress-rule/index.js'
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js'
import type { Construct } from 'constructs'
import { accept } from './findings.ts'
import { ruleNetwork } from './firewall.ts'
import { awsName } from './names.ts'
import type { NodeFleetProps } from './node-fleet-props.ts'

/** The security group of nodes, with what management and monitoring may reach, and what the nodes may. */
export function createNodeFirewall(scope: Construct, props: NodeFleetProps): SecurityGroup {
  const { name, network, host } = props
  const securityGroup = new SecurityGroup(scope, 'security-group', {
    name: awsName(64, name, 'nodes'),
    description: 'Gateway nodes',
    vpcId: network.vpcId,
    tags: { Name: `${name}-nodes` },
  })
  const letIn = (port: number, from: string, description: string) =>
    new VpcSecurityGroupIngressRule(scope, `ingress-${port}-${from}`, {
      securityGroupId: securityGroup.id,
      description,
      ipProtocol: 'tcp',
      fromPort: port,
      toPort: port,
      ...ruleNetwork(from),
    })
  for (const network of host.managementNetworks ?? []) {
    letIn(host.sshPort ?? 22, network, 'SSH of management networks')
    letIn(8444, network, 'Admin API of management networks')
  }
  for (const network of host.monitoringNetworks ?? []) letIn(9090, network, 'Metrics and health')
  letOut(scope, props, securityGroup.id)
  return securityGroup
}

/** To the VPC, S3, the networks that are named, and what of the internet is asked for. */
function letOut(scope: Construct, props: NodeFleetProps, securityGroupId: string) {
  const { network, upstreamNetworks = [], internetPorts = [] } = props
  const rule = { securityGroupId, ipProtocol: '-1' }
  const services = 'Services and endpoints within the VPC'
  new VpcSecurityGroupEgressRule(scope, 'egress-vpc', {
    ...rule,
    description: services,
    cidrIpv4: network.cidr,
  })
  if (network.ipv6Cidr !== undefined) {
    new VpcSecurityGroupEgressRule(scope, 'egress-vpc-ipv6', {
      ...rule,
      description: services,
      cidrIpv6: network.ipv6Cidr,
    })
  }
  if (network.s3PrefixListId !== undefined) {
    new VpcSecurityGroupEgressRule(scope, 'egress-s3', {
      securityGroupId,
      description: 'Configuration and packages in S3',
      ipProtocol: 'tcp',
      fromPort: 443,
      toPort: 443,
      prefixListId: network.s3PrefixListId,
    })
  }
  for (const upstream of upstreamNetworks) {
    new VpcSecurityGroupEgressRule(scope, `egress-${upstream}`, {
      securityGroupId,
      description: 'Services elsewhere',
      ipProtocol: 'tcp',
      fromPort: 0,
      toPort: 65_535,
      ...ruleNetwork(upstream),
    })
  }
  for (const port of internetPorts) createInternetEgress(scope, securityGroupId, port)
}

/** Lets a security group reach a port anywhere on the internet. */
export function createInternetEgress(scope: Construct, securityGroupId: string, port: number) {
  for (const everywhere of ['0.0.0.0/0', '::/0']) {
    const rule = new VpcSecurityGroupEgressRule(scope, `egress-${port}-${everywhere}`, {
      securityGroupId,
      description: `Services on the internet, port ${port}`,
      ipProtocol: 'tcp',
      fromPort: port,
      toPort: port,
      ...ruleNetwork(everywhere),
    })
    accept(
      rule,
      'internet-egress',
      'asked for: certificate authorities, packages and public services have no fixed addresses',
    )
  }
}
