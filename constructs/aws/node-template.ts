import { DataAwsAmi } from '@cdktf/provider-aws/lib/data-aws-ami/index.js'
import { LaunchTemplate } from '@cdktf/provider-aws/lib/launch-template/index.js'
import type { Construct } from 'constructs'
import { withPath } from '../errors.ts'
import { renderHostBootstrap, renderUserData } from '../host-bootstrap/index.ts'
import type { Key } from './encryption-key.ts'
import { type Architecture, architectureOf } from './instance-type.ts'
import { LogVolume } from './log-volume.ts'
import { awsName } from './names.ts'
import { defaultInstanceTypes, type NodeFleetProps } from './node-fleet-props.ts'

/** Account of Debian's cloud team (wiki.debian.org/Cloud/AmazonEC2Image). */
const debianAccount = '136693071363'

export interface TemplateOptions {
  readonly key: Key
  readonly instanceProfileArn: string
  readonly securityGroupId: string
}

/** Tags by which a node learns at run time what is not known when its user data is made. */
export const nodeTags = ({ name, gateway = name, configSource }: NodeFleetProps): Record<string, string> => ({
  'gateway-name': gateway,
  ...(configSource && {
    'gateway-configuration': `${configSource.bucket}/${configSource.manifestKey}`,
  }),
})

/** What every node of a fleet is launched from. */
export function createTemplate(
  scope: Construct,
  props: NodeFleetProps,
  { key, instanceProfileArn, securityGroupId }: TemplateOptions,
): LaunchTemplate {
  const { name, instanceTypes = defaultInstanceTypes } = props
  const logVolume = props.logVolume ?? LogVolume.for(instanceTypes)
  const userData = withPath(scope, () =>
    renderUserData(
      renderHostBootstrap({
        ...props.host,
        logDevice: 'auto',
        aws: { followConfiguration: props.configSource !== undefined },
        ...(props.configSource && { configuration: {} }),
      }),
    ),
  )
  const encrypted = { encrypted: 'true', kmsKeyId: key.arn, volumeType: 'gp3', deleteOnTermination: 'true' }
  const root = { deviceName: '/dev/xvda', ebs: { volumeSize: 16 } }
  const tags = { ...props.tags, ...nodeTags(props), Name: name }
  return new LaunchTemplate(scope, 'template', {
    name: awsName(128, name),
    description: 'Gateway nodes',
    updateDefaultVersion: true,
    instanceType: instanceTypes[0]!,
    imageId: props.imageId ?? newestDebian(scope, 'image', architectureOf(instanceTypes[0]!)),
    userData,
    vpcSecurityGroupIds: [securityGroupId],
    iamInstanceProfile: { arn: instanceProfileArn },
    ebsOptimized: 'true',
    monitoring: { enabled: true },
    // Session tokens only, and none for what runs behind another hop, such as a container.
    metadataOptions: {
      httpEndpoint: 'enabled',
      httpTokens: 'required',
      httpPutResponseHopLimit: 1,
      instanceMetadataTags: 'enabled',
    },
    blockDeviceMappings: [root, ...logVolume.devices(scope, instanceTypes)].map(({ deviceName, ebs }) => ({
      deviceName,
      ebs: { ...encrypted, ...ebs },
    })),
    tagSpecifications: ['instance', 'volume', 'network-interface'].map((resourceType) => ({
      resourceType,
      tags,
    })),
    tags: { ...props.tags, Name: name },
  })
}

/** Id of the newest image of Debian 13. */
export const newestDebian = (scope: Construct, id: string, architecture: Architecture): string =>
  new DataAwsAmi(scope, id, {
    mostRecent: true,
    owners: [debianAccount],
    filter: [
      { name: 'name', values: [`debian-13-${architecture}-*`] },
      { name: 'virtualization-type', values: ['hvm'] },
    ],
  }).id
