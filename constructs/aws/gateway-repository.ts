import { EcrLifecyclePolicy } from '@cdktf/provider-aws/lib/ecr-lifecycle-policy/index.js'
import { EcrRepository } from '@cdktf/provider-aws/lib/ecr-repository/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { EncryptionKey, type Key } from './encryption-key.ts'
import { baseNameRule, isBaseName } from './names.ts'
import type { Statement } from './policy.ts'

export interface GatewayRepositoryProps {
  /** Begins the name of the repository: `NAME/gateway`. */
  readonly name: string
  /**
   * Images that are kept, 1 to 1000; older ones go.
   * @default 50
   */
  readonly kept?: number
  /**
   * Encrypts the images.
   * @default a new `EncryptionKey`
   */
  readonly key?: Key
}

/**
 * A repository for the container image of the gateway: a tag, once pushed, never means another image; each is scanned
 * as it comes.
 *
 * @example
 * const repository = new GatewayRepository(stack, 'repository', { name: 'edge' })
 * new NodeRole(stack, 'role', { name: 'edge', statements: repository.pullStatements })
 * @throws ConstructError when a value is out of range
 */
export class GatewayRepository extends Construct {
  /** Where images are pushed to and pulled from. */
  readonly url: string
  /** What an instance must be allowed to do to pull. */
  readonly pullStatements: readonly Statement[]

  constructor(scope: Construct, id: string, props: GatewayRepositoryProps) {
    super(scope, id)
    const { name, kept = 50 } = props
    checkProps(this, [
      [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
      [Number.isInteger(kept) && kept >= 1 && kept <= 1000, `kept: expected 1 to 1000, got ${kept}`],
    ])
    const key = props.key ?? new EncryptionKey(this, 'key', { name, purpose: 'repository' })
    const repository = new EcrRepository(this, 'repository', {
      name: `${name}/gateway`,
      imageTagMutability: 'IMMUTABLE',
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfiguration: [{ encryptionType: 'KMS', kmsKey: key.arn }],
      forceDelete: false,
      tags: { Name: `${name}/gateway` },
    })
    new EcrLifecyclePolicy(this, 'lifecycle', {
      repository: repository.name,
      policy: JSON.stringify({
        rules: [
          {
            rulePriority: 1,
            description: `Keeps ${kept} images`,
            selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: kept },
            action: { type: 'expire' },
          },
        ],
      }),
    })
    this.url = repository.repositoryUrl
    this.pullStatements = [
      {
        sid: 'LogIn',
        actions: ['ecr:GetAuthorizationToken'],
        resources: ['*'],
        wildcardReason: 'this action knows no resources; what may be pulled follows',
      },
      {
        sid: 'Pull',
        actions: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
        resources: [repository.arn],
      },
    ]
  }
}
