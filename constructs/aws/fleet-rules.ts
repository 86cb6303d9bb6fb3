import type { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { architectureOf, isInstanceType } from './instance-type.ts'
import { baseNameRule, isBaseName } from './names.ts'
import { defaultInstanceTypes, type NodeFleetProps } from './node-fleet-props.ts'
import { isTagKey, tagKeyRule } from './tag-key.ts'

/** @throws ConstructError with all that is wrong with the props of a fleet */
export function checkFleet(scope: Construct, props: NodeFleetProps) {
  const { name, instanceTypes = defaultInstanceTypes, imageId, minNodes = 3, maxNodes = 12 } = props
  const { targetCpu = 50, targetRequests = 300_000, spotPercent = 0, warmPool } = props
  const architectures = new Set(instanceTypes.map(architectureOf))
  const within = (key: string, value: number, min: number, max: number) =>
    [
      Number.isInteger(value) && value >= min && value <= max,
      `${key}: expected ${min} to ${max}, got ${value}`,
    ] as const
  checkProps(scope, [
    [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
    [instanceTypes.length > 0, 'instanceTypes: expected at least one, got none'],
    [
      new Set(instanceTypes).size === instanceTypes.length,
      `instanceTypes: expected each once, got ${instanceTypes.join(', ')}`,
    ],
    ...instanceTypes.map(
      (type) =>
        [
          isInstanceType(type),
          `instanceTypes: expected such as c7gd.xlarge, got ${JSON.stringify(type)}`,
        ] as const,
    ),
    [
      architectures.size <= 1,
      `instanceTypes: expected one architecture, since there is one image, got ${[...architectures].join(' and ')}`,
    ],
    [
      imageId === undefined || /^(ami-[0-9a-f]{8,17}|\$\{.*)$/.test(imageId),
      `imageId: expected such as ami-0123456789abcdef0, got ${JSON.stringify(imageId)}`,
    ],
    [Number.isInteger(minNodes) && minNodes >= 1, `minNodes: expected 1 or more, got ${minNodes}`],
    [
      Number.isInteger(maxNodes) && maxNodes >= minNodes,
      `maxNodes: expected ${minNodes} (minNodes) or more, got ${maxNodes}`,
    ],
    ...Object.keys(props.tags ?? {}).map(
      (key) => [isTagKey(key), `tags: expected keys of ${tagKeyRule}, got ${JSON.stringify(key)}`] as const,
    ),
    within('targetCpu', targetCpu, 10, 90),
    within('targetRequests', targetRequests, 100, 10_000_000),
    within('spotPercent', spotPercent, 0, 100),
    [
      warmPool === undefined || (instanceTypes.length === 1 && spotPercent === 0),
      'warmPool: expected one instance type and no spot instances with it, which is all that EC2 keeps warm',
    ],
  ])
}
