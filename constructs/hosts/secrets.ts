import {
  type FileProvisioner,
  type RemoteExecProvisioner,
  type SSHProvisionerConnection,
  TerraformVariable,
} from 'cdktf'
import type { Construct } from 'constructs'

const variable = 'redis_secret'

/**
 * The variable that passwords of Redis and the key of shared certificates are made from, once in a stack. It is ephemeral (Terraform 1.10), so that it is
 * in no state and no saved plan; `TF_VAR_redis_secret` gives it.
 */
export function redisSecret(scope: Construct): void {
  if (scope.node.tryFindChild(variable)) return
  const secret = new TerraformVariable(scope, variable, {
    type: 'string',
    description: 'Secret that the passwords of Redis are made from: 32 characters at least',
    sensitive: true,
    validation: [
      {
        condition: `\${length(var.${variable}) >= 32}`,
        errorMessage: 'Expected 32 characters at least, such as those of: openssl rand -hex 32',
      },
    ],
  })
  secret.overrideLogicalId(variable)
  secret.addOverride('ephemeral', true)
}

/**
 * Uploads the secrets of a host to a folder that only the account may read, a file each. Each is a hash of its own, so
 * that a gateway cannot tell the password of the cluster from its own.
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
        // The store of certificates wants 32 bytes in base64.
        content: `\${${name === 'certificate-store' ? 'base64sha256' : 'sha256'}("${name}:\${var.${variable}}")}`,
        destination: `${folder}/${name}`,
        connection,
      }),
    ),
  ]
}
