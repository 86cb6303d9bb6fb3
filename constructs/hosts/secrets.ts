import {
  type FileProvisioner,
  type RemoteExecProvisioner,
  type SSHProvisionerConnection,
  TerraformVariable,
} from 'cdktf'
import type { Construct } from 'constructs'
import { dnsSecret } from '../host-bootstrap/index.ts'
import { expression } from '../terraform.ts'

/** A variable of the stack. It is ephemeral (Terraform 1.10), so that it is in no state and no saved plan. */
interface SecretVariable {
  readonly name: string
  readonly description: string
  readonly condition: string
  readonly errorMessage: string
}

/** Passwords of Redis and the key of shared certificates are made from it. */
const ofRedis: SecretVariable = {
  name: 'redis_secret',
  description: 'Secret that the passwords of Redis are made from: 32 characters at least',
  condition: 'length(var.redis_secret) >= 32',
  errorMessage: 'Expected 32 characters at least, such as those of: openssl rand -hex 32',
}
const ofDns: SecretVariable = {
  name: 'dns_key',
  description: 'Secret of the key that updates of the DNS are signed with, in base64',
  condition: 'can(regex("^[A-Za-z0-9+/]{16,}={0,2}$", var.dns_key))',
  errorMessage: 'Expected the secret of the key in base64, as tsig-keygen shows it',
}
const variableOf = (secret: string) => (secret === dnsSecret ? ofDns : ofRedis)

/** What a secret of a host is made of; each is a hash of its own, so that none tells another. */
function contentOf(secret: string): string {
  if (secret === dnsSecret) return 'var.dns_key'
  // The store of certificates wants 32 bytes in base64.
  const hash = secret === 'certificate-store' ? 'base64sha256' : 'sha256'
  return `${hash}("${secret}:${expression('var.redis_secret')}")`
}

/** The variables that secrets of hosts come from, once in a stack; `TF_VAR_NAME` gives them. */
export function declareSecrets(scope: Construct, secrets: readonly string[]): void {
  for (const { name, description, condition, errorMessage } of new Set(secrets.map(variableOf))) {
    if (scope.node.tryFindChild(name)) continue
    const variable = new TerraformVariable(scope, name, {
      type: 'string',
      description,
      sensitive: true,
      validation: [{ condition: expression(condition), errorMessage }],
    })
    variable.overrideLogicalId(name)
    variable.addOverride('ephemeral', true)
  }
}

/**
 * Uploads the secrets of a host to a folder that only the account may read, a file each.
 */
export function uploadSecrets(
  names: readonly string[],
  folder: string,
  connection: SSHProvisionerConnection,
): (FileProvisioner | RemoteExecProvisioner)[] {
  if (names.length === 0) return []
  const prepare = `umask 077; rm -rf ${folder} && mkdir ${folder}`
  return [
    { type: 'remote-exec', inline: [prepare], connection },
    ...names.map(
      (name): FileProvisioner => ({
        type: 'file',
        content: expression(contentOf(name)),
        destination: `${folder}/${name}`,
        connection,
      }),
    ),
  ]
}
