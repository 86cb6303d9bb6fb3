import { createHash, createHmac } from 'node:crypto'
import type { SignatureV4 } from '@smithy/signature-v4'

/** Both services take a token for a new connection for so long. */
const lifetimeSeconds = 900

/** What a token lets in: a user of an ElastiCache cluster, or of an RDS database. */
export interface IamTokenTarget {
  readonly service: 'elasticache' | 'rds-db'
  /** Name of the cluster in ElastiCache, lower-case; `host:port` of the database in RDS. */
  readonly host: string
  readonly user: string
  /** Such as `eu-central-1`; undefined for AWS_REGION. */
  readonly region: string | undefined
}

/**
 * Makes the passwords that ElastiCache and RDS take from an IAM role: a presigned request, without its scheme. Credentials
 * come from where the AWS SDK looks for them (environment, web identity, container, instance metadata), which renews them
 * before they expire; each token is made anew, so that none is ever used past its 15 minutes. Sources: ElastiCache User
 * Guide, "Authenticating with IAM"; RDS User Guide, "Connecting using IAM authentication".
 */
export class IamTokens {
  readonly #target: IamTokenTarget
  #signer: Promise<SignatureV4> | undefined

  constructor(target: IamTokenTarget) {
    this.#target = target
  }

  get user(): string {
    return this.#target.user
  }

  /** @throws Error where no credentials are found, or no region is set */
  async next(): Promise<string> {
    const { service, host, user } = this.#target
    this.#signer ??= createSigner(this.#target)
    this.#signer.catch(() => {
      this.#signer = undefined
    })
    const [hostname, port] = host.split(':')
    const signed = await (await this.#signer).presign(
      {
        method: 'GET',
        protocol: 'https:',
        hostname: hostname!,
        ...(port !== undefined && { port: Number(port) }),
        path: '/',
        query: { Action: 'connect', [service === 'rds-db' ? 'DBUser' : 'User']: user },
        headers: { host },
      },
      { expiresIn: lifetimeSeconds },
    )
    const query = Object.entries(signed.query ?? {}).map(
      ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`,
    )
    return `${host}/?${query.join('&')}`
  }
}

/** Loaded when the first token is asked for: gateways elsewhere start without. */
async function createSigner({
  service,
  region = process.env.AWS_REGION,
}: IamTokenTarget): Promise<SignatureV4> {
  if (!region) throw new Error('no region: give aws_iam.region, or set AWS_REGION')
  const { defaultProvider, SignatureV4 } = await import('./request-signing.ts')
  return new SignatureV4({ service, region, credentials: defaultProvider(), sha256: Sha256 })
}

/** SHA-256, and with a secret its HMAC, as the signer wants it. */
class Sha256 {
  readonly #hash

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret))
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data))
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }

  reset(): void {}
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data)
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return new Uint8Array(data)
}
