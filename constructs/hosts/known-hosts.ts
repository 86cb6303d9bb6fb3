import { createHash } from 'node:crypto'

/** Where an SSH server is, and its public key; each may be an expression of Terraform. */
export interface KnownHost {
  readonly address: string
  readonly port: number | string
  readonly hostKey: string
}

/** A string of SSH's wire format (RFC 4251, section 5). */
function wireString(content: string | Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(Buffer.byteLength(content))
  return Buffer.concat([length, Buffer.from(content)])
}

const nobodysType = 'sk-ssh-ed25519@openssh.com'
/** A key that nobody can have, of a type that no server of SSH proves itself by. */
const nobodysKey = () => {
  const point = createHash('sha256').update('nobody holds this key').digest()
  return `${nobodysType} ${Buffer.concat([nobodysType, point, 'ssh:'].map(wireString)).toString('base64')}`
}

/**
 * What a connection of Terraform takes as `host_key` for a host that is reached by a bastion. Terraform writes it into a
 * file of known hosts, behind the address of either, and so would ask the bastion for the key of the host
 * (communicator/ssh, `prepareSSHConfig`; `bastion_host_key` is not looked at). The key that stands behind both
 * addresses here is nobody's; each server has a line of its own after it.
 */
export const hostKeysBehind = (bastion: KnownHost, host: KnownHost): string =>
  [
    nobodysKey(),
    ...[host, bastion].map(({ address, port, hostKey }) => `@cert-authority [${address}]:${port} ${hostKey}`),
  ].join('\n')
