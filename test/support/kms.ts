import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { listenOnFreePort } from './ports.ts'

/** AWS KMS as far as data keys go: its JSON protocol, keys that never leave it, and their rotation. */
export interface Kms {
  readonly url: string
  /** What it was asked for so far: names of actions. */
  readonly calls: readonly string[]
  /** Whether requests are answered, refused with `AccessDeniedException`, or left without an answer. */
  mode: 'answers' | 'denies' | 'silent'
  /** Makes a key; returns its ARN. */
  createKey(region?: string): string
  /** From now on data keys are made of new key material; the old still opens what it has encrypted. */
  rotate(arn: string): void
  stop(): void
}

interface Asked {
  readonly KeyId: string
  readonly CiphertextBlob: string
  readonly EncryptionContext: Record<string, string>
}

class Refusal extends Error {}

/** Source: KMS API Reference; the errors are those of `Decrypt`. */
export async function startKms(): Promise<Kms> {
  const keys = new Map<string, Buffer[]>()
  const unanswered = new Set<ServerResponse>()
  const calls: string[] = []
  const materialOf = (arn: string) => {
    const material = keys.get(arn)
    if (!material) throw new Refusal('NotFoundException')
    return material
  }
  const actions: Record<string, (asked: Asked) => object> = {
    GenerateDataKey: ({ KeyId, EncryptionContext }) => {
      const plain = randomBytes(32)
      const material = materialOf(KeyId)
      const nonce = randomBytes(12)
      const id = Buffer.concat([Buffer.from(KeyId.slice(-36)), Buffer.from([material.length - 1])])
      const cipher = createCipheriv('aes-256-gcm', material.at(-1)!, nonce)
      cipher.setAAD(contextOf(id, EncryptionContext))
      const body = Buffer.concat([cipher.update(plain), cipher.final()])
      const blob = Buffer.concat([id, nonce, cipher.getAuthTag(), body])
      return { KeyId, Plaintext: plain.toString('base64'), CiphertextBlob: blob.toString('base64') }
    },
    Decrypt: ({ KeyId, CiphertextBlob, EncryptionContext }) => {
      const blob = Buffer.from(CiphertextBlob, 'base64')
      const material = materialOf(KeyId)
      const ofRegion = [...keys.keys()].filter((arn) => arn.split(':')[3] === KeyId.split(':')[3])
      const owner = ofRegion.find((arn) => arn.endsWith(blob.toString('latin1', 0, 36)))
      if (!owner) throw new Refusal('InvalidCiphertextException')
      if (owner !== KeyId) throw new Refusal('IncorrectKeyException')
      try {
        const [id, nonce, tag] = [blob.subarray(0, 37), blob.subarray(37, 49), blob.subarray(49, 65)]
        const cipher = createDecipheriv('aes-256-gcm', material[id[36]!]!, nonce)
        cipher.setAAD(contextOf(id, EncryptionContext)).setAuthTag(tag)
        const plain = Buffer.concat([cipher.update(blob.subarray(65)), cipher.final()])
        return { KeyId, Plaintext: plain.toString('base64') }
      } catch {
        throw new Refusal('InvalidCiphertextException')
      }
    },
  }
  const server = createServer(async (request, response) => {
    const asked = JSON.parse(await text(request)) as Asked
    const action = String(request.headers['x-amz-target']).replace('TrentService.', '')
    const reply = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
    calls.push(action)
    if (kms.mode === 'silent') return unanswered.add(response)
    if (kms.mode === 'denies' || !request.headers.authorization?.startsWith('AWS4-HMAC-SHA256 '))
      return reply(400, { __type: 'AccessDeniedException', message: 'not authorized' })
    try {
      return reply(200, actions[action]!(asked))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return reply(400, { __type: error.message })
    }
  })
  const port = await listenOnFreePort(server)
  const kms: Kms = {
    url: `http://127.0.0.1:${port}`,
    calls,
    mode: 'answers',
    createKey: (region = 'eu-central-1') => {
      const id = randomBytes(16)
        .toString('hex')
        .replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
      const arn = `arn:aws:kms:${region}:123456789012:key/${id}`
      keys.set(arn, [randomBytes(32)])
      return arn
    },
    rotate: (arn) => void keys.get(arn)!.push(randomBytes(32)),
    stop: () => {
      server.close()
      server.closeAllConnections()
    },
  }
  return kms
}

const contextOf = (id: Buffer, context: Record<string, string>) =>
  Buffer.concat([id, Buffer.from(JSON.stringify(Object.entries(context).sort()))])
