import type { Account } from './account.ts'
import type { Architecture } from './instance-type.ts'
import type { Statement } from './policy.ts'

/**
 * What Image Builder does to an image: fetches the package, proves that it is the one, installs it, and starts the
 * service of the result. Source: Image Builder User Guide, "Use the AWSTOE component document framework".
 */
export function imageComponent(source: string, hash: string): string {
  const bash = (name: string, ...commands: string[]) => ({
    name,
    action: 'ExecuteBash',
    onFailure: 'Abort',
    timeoutSeconds: 900,
    inputs: { commands: ['set -euo pipefail', ...commands] },
  })
  const debian = '/tmp/gateway-runtime.deb'
  return JSON.stringify({
    schemaVersion: 1.0,
    name: 'gateway-runtime',
    phases: [
      {
        name: 'build',
        steps: [
          {
            name: 'Fetch',
            action: 'S3Download',
            onFailure: 'Abort',
            inputs: [{ source, destination: debian }],
          },
          bash('Prove', `echo '${hash}  ${debian}' | sha256sum --check --strict`),
          bash(
            'Install',
            'export DEBIAN_FRONTEND=noninteractive',
            'apt-get -o DPkg::Lock::Timeout=300 -qq update',
            'apt-get -o DPkg::Lock::Timeout=300 -qq --yes upgrade',
            `apt-get -o DPkg::Lock::Timeout=300 -qq --yes --no-install-recommends install ${debian} iptables curl openssl`,
            `rm ${debian}`,
            'apt-get clean',
          ),
        ],
      },
      {
        name: 'test',
        steps: [
          bash(
            'Serve',
            'install -d -m 0750 /etc/gateway',
            "test -e /etc/gateway/config.yaml || echo 'listeners: [{ port: 80, protocol: http }]' > /etc/gateway/config.yaml",
            'chown -R gateway:gateway /etc/gateway',
            'systemctl start gateway-service',
            'for _ in $(seq 1 30); do if curl -sf -m 2 http://127.0.0.1:9090/readyz; then exit 0; fi; sleep 2; done',
            'journalctl -u gateway-service --no-pager -n 50',
            'exit 1',
          ),
        ],
      },
    ],
  })
}

/** User data, in base64, that installs the agent by which Image Builder works, which Debian's images do not have. */
export const installAgent = (architecture: Architecture): string =>
  Buffer.from(
    `#!/bin/bash
set -eu
token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
region=$(curl -sf -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/placement/region)
curl -sf -o /tmp/agent.deb "https://s3.$region.amazonaws.com/amazon-ssm-$region/latest/debian_${architecture}/amazon-ssm-agent.deb"
dpkg --install /tmp/agent.deb
`,
  ).toString('base64')

/** What an instance that builds an image may do; `SessionManager` comes with its role. */
export function buildStatements(
  account: Account,
  name: string,
  bucketArn: string,
  keyArn: string,
): Statement[] {
  const { id, partition, region } = account
  return [
    {
      sid: 'ReadPackage',
      actions: ['s3:GetObject'],
      resources: [`${bucketArn}/*`],
      wildcardReason: 'the bucket holds packages alone, each under its hash',
    },
    { sid: 'DecryptPackage', actions: ['kms:Decrypt', 'kms:GenerateDataKey'], resources: [keyArn] },
    {
      sid: 'ReadComponent',
      actions: ['imagebuilder:GetComponent'],
      resources: [`arn:${partition}:imagebuilder:${region}:${id}:component/${name}-*/*/*`],
      wildcardReason: 'a component of this name for every package, with its version and build',
    },
    {
      sid: 'ReadTools',
      actions: ['s3:GetObject'],
      resources: [`arn:${partition}:s3:::ec2imagebuilder-managed-resources-${region}-prod/*`],
      wildcardReason: "the tools of Image Builder in AWS's own bucket, which everybody may read",
    },
    {
      sid: 'WriteLog',
      actions: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [`arn:${partition}:logs:${region}:${id}:log-group:/aws/imagebuilder/${name}*`],
      wildcardReason: 'a group for every recipe, whose name ends with the hash of the package',
    },
  ]
}
