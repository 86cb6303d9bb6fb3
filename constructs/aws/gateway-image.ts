import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { ImagebuilderComponent } from '@cdktf/provider-aws/lib/imagebuilder-component/index.js'
import { ImagebuilderDistributionConfiguration } from '@cdktf/provider-aws/lib/imagebuilder-distribution-configuration/index.js'
import { ImagebuilderImage } from '@cdktf/provider-aws/lib/imagebuilder-image/index.js'
import { ImagebuilderImageRecipe } from '@cdktf/provider-aws/lib/imagebuilder-image-recipe/index.js'
import { ImagebuilderInfrastructureConfiguration } from '@cdktf/provider-aws/lib/imagebuilder-infrastructure-configuration/index.js'
import { S3Object } from '@cdktf/provider-aws/lib/s3-object/index.js'
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { Construct } from 'constructs'
import { checkProps, withPath } from '../errors.ts'
import { accountOf } from './account.ts'
import { EncryptionKey, type Key } from './encryption-key.ts'
import { buildStatements, imageComponent, installAgent } from './image-component.ts'
import type { Architecture } from './instance-type.ts'
import { awsName, baseNameRule, isBaseName } from './names.ts'
import type { Network } from './network.ts'
import { createInternetEgress } from './node-firewall.ts'
import { NodeRole } from './node-role.ts'
import { newestDebian } from './node-template.ts'
import { PrivateBucket } from './private-bucket.ts'

export interface GatewayImageProps {
  /** Begins the names of all resources; 1 to 40 lower-case letters, digits and single "-", a letter first. */
  readonly name: string
  /** The build runs in a private subnet of its first zone, which must have a NAT gateway: Debian's packages come from outside. */
  readonly network: Network
  /** Path of the Debian package `gateway-runtime`, which `npm run package` leaves. */
  readonly packagePath: string
  /**
   * Architecture of the package and of the image.
   * @default 'arm64'
   */
  readonly architecture?: Architecture
  /**
   * Image that it is put into, Debian 12 or newer.
   * @default the newest Debian 13
   */
  readonly parentImage?: string
  /**
   * Regions that the image is copied to, beside the one of the stack, with the key that encrypts it there.
   * @default {}
   */
  readonly regions?: Readonly<Record<string, string>>
  /**
   * Accounts that may launch it, beside the one of the stack; `key` must let them use it.
   * @default []
   */
  readonly accounts?: readonly string[]
  /**
   * Encrypts the image.
   * @default a new `EncryptionKey`
   */
  readonly key?: Key
}

/**
 * An image (AMI) that holds the gateway, built by EC2 Image Builder on deployment: it installs the package, then starts
 * an instance of the result and asks the service whether it is ready. What it is called follows from the content of
 * the package and the recipe, so nothing is built again without a change.
 *
 * @example
 * const network = new GatewayNetwork(stack, 'network', { name: 'edge', cidr: '10.20.0.0/16', zones: ['eu-central-1a'] })
 * const image = new GatewayImage(stack, 'image', {
 *   name: 'edge',
 *   network,
 *   packagePath: 'dist/packages/gateway-runtime_0.1.0_arm64.deb',
 * })
 * new TerraformOutput(stack, 'image-id', { value: image.imageId })
 * @throws ConstructError when the package cannot be read
 */
export class GatewayImage extends Construct {
  /** Id of the image; known once it is built, which takes a quarter of an hour. */
  readonly imageId: string

  constructor(scope: Construct, id: string, props: GatewayImageProps) {
    super(scope, id)
    const { name, packagePath, architecture = 'arm64' } = props
    checkProps(this, [[isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`]])
    const content = withPath(this, () => readFileSync(packagePath))
    const key = props.key ?? new EncryptionKey(this, 'key', { name, purpose: 'image' })
    const bucket = new PrivateBucket(this, 'packages', {
      name,
      purpose: 'packages',
      key,
      noncurrentExpiration: 365,
    })
    const hash = createHash('sha256').update(content).digest('hex')
    const objectKey = `${hash}/${basename(packagePath)}`
    const asset = new S3Object(this, 'package', {
      bucket: bucket.name,
      key: objectKey,
      source: resolve(packagePath),
      sourceHash: hash,
      kmsKeyId: key.arn,
      serverSideEncryption: 'aws:kms',
      tags: { Name: basename(packagePath) },
      lifecycle: { createBeforeDestroy: true },
      dependsOn: [bucket.policy],
    })
    const data = imageComponent(`s3://${bucket.name}/${objectKey}`, hash)
    // What Image Builder has once made under a name and version never changes, hence the hash in the name.
    const version = createHash('sha256')
      .update(hash)
      .update(imageComponent('', hash))
      .digest('hex')
      .slice(0, 12)
    const recipe = this.#createRecipe(props, { key, data, version, asset })
    const image = new ImagebuilderImage(this, 'image', {
      imageRecipeArn: recipe.arn,
      infrastructureConfigurationArn: this.#createInfrastructure(props, bucket, key).arn,
      distributionConfigurationArn: this.#createDistribution(props, key, architecture).arn,
      imageTestsConfiguration: { imageTestsEnabled: true, timeoutMinutes: 60 },
      enhancedImageMetadataEnabled: true,
      tags: { Name: `${name}-${version}` },
      timeouts: { create: '90m' },
      lifecycle: { createBeforeDestroy: true },
    })
    // The images of all regions come as a set, which has no order.
    const { terraformResourceType: type, friendlyUniqueId } = image
    this.imageId = `\${one([for ami in ${type}.${friendlyUniqueId}.output_resources[0].amis : ami.image if ami.region == data.aws_region.gateway-region.region])}`
  }

  #createRecipe(
    props: GatewayImageProps,
    options: { key: Key; data: string; version: string; asset: S3Object },
  ): ImagebuilderImageRecipe {
    const { name, architecture = 'arm64' } = props
    const { key, data, version, asset } = options
    const component = new ImagebuilderComponent(this, 'component', {
      name: awsName(126, name, version),
      version: '1.0.0',
      platform: 'Linux',
      description: 'Installs and tests the API gateway',
      data,
      kmsKeyId: key.arn,
      tags: { Name: name },
      lifecycle: { createBeforeDestroy: true },
      dependsOn: [asset],
    })
    return new ImagebuilderImageRecipe(this, 'recipe', {
      name: awsName(126, name, version),
      version: '1.0.0',
      description: 'Debian with the API gateway',
      parentImage: props.parentImage ?? newestDebian(this, 'parent', architecture),
      userDataBase64: installAgent(architecture),
      component: [{ componentArn: component.arn }],
      blockDeviceMapping: [
        {
          deviceName: '/dev/xvda',
          ebs: {
            encrypted: 'true',
            kmsKeyId: key.arn,
            volumeSize: 16,
            volumeType: 'gp3',
            deleteOnTermination: 'true',
          },
        },
      ],
      tags: { Name: name },
      lifecycle: { createBeforeDestroy: true },
    })
  }

  #createInfrastructure(props: GatewayImageProps, bucket: PrivateBucket, key: Key) {
    const { name, network, architecture = 'arm64' } = props
    const account = accountOf(this)
    const role = new NodeRole(this, 'role', {
      name,
      purpose: 'image-build',
      statements: buildStatements(account, name, bucket.arn, key.arn),
    })
    const securityGroup = new SecurityGroup(this, 'security-group', {
      name: awsName(64, name, 'image-build'),
      description: 'Builds of images: nothing comes in',
      vpcId: network.vpcId,
      tags: { Name: `${name}-image-build` },
    })
    createInternetEgress(this, securityGroup.id, 443)
    createInternetEgress(this, securityGroup.id, 80)
    return new ImagebuilderInfrastructureConfiguration(this, 'infrastructure', {
      name: awsName(126, name),
      description: 'Where images of the API gateway are built',
      instanceProfileName: role.instanceProfileName,
      instanceTypes: architecture === 'arm64' ? ['c7g.large', 'm7g.large'] : ['c7i.large', 'm7i.large'],
      subnetId: network.zones[0]!.privateSubnetId,
      securityGroupIds: [securityGroup.id],
      terminateInstanceOnFailure: true,
      instanceMetadataOptions: { httpTokens: 'required', httpPutResponseHopLimit: 1 },
      resourceTags: { Name: `${name}-image-build` },
      tags: { Name: name },
    })
  }

  #createDistribution(props: GatewayImageProps, key: Key, architecture: Architecture) {
    const { name, accounts = [], regions = {} } = props
    const distribution = (region: string, kmsKeyId: string) => ({
      region,
      amiDistributionConfiguration: {
        name: `${awsName(80, name, architecture)}-{{ imagebuilder:buildDate }}`,
        description: 'Debian with the API gateway',
        kmsKeyId,
        amiTags: { Name: name },
        ...(accounts.length > 0 && { launchPermission: { userIds: [...accounts].sort() } }),
      },
    })
    return new ImagebuilderDistributionConfiguration(this, 'distribution', {
      name: awsName(126, name),
      description: 'Regions and accounts that get images of the API gateway',
      distribution: [
        distribution(accountOf(this).region, key.arn),
        ...Object.entries(regions)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([region, keyArn]) => distribution(region, keyArn)),
      ],
      tags: { Name: name },
    })
  }
}
