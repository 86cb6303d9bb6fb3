import { createServer } from 'node:http'
import { listenOnFreePort } from './ports.ts'

export interface RoleCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  readonly expiration: Date
}

/** The instance metadata service of EC2 (version 2), as far as it hands out the credentials of a role. */
export interface InstanceMetadata {
  readonly url: string
  /** What is handed out from now on. */
  credentials: RoleCredentials
  stop(): void
}

const token = 'token-of-the-metadata-service'

/** Source: EC2 User Guide, "Use the Instance Metadata Service" and "Retrieve security credentials". */
export async function startInstanceMetadata(credentials: RoleCredentials): Promise<InstanceMetadata> {
  const metadata = { credentials }
  const server = createServer((request, response) => {
    const say = (status: number, body = '') => response.writeHead(status).end(body)
    if (request.method === 'PUT' && request.url === '/latest/api/token') return say(200, token)
    if (request.headers['x-aws-ec2-metadata-token'] !== token) return say(401)
    const role = /^\/latest\/meta-data\/iam\/security-credentials\/(\w*)$/.exec(request.url ?? '')?.[1]
    if (role === '') return say(200, 'gateway')
    if (role !== 'gateway') return say(404)
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = metadata.credentials
    return say(
      200,
      JSON.stringify({
        Code: 'Success',
        Type: 'AWS-HMAC',
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        Token: sessionToken,
        LastUpdated: new Date().toISOString(),
        Expiration: expiration.toISOString(),
      }),
    )
  })
  const port = await listenOnFreePort(server)
  return Object.assign(metadata, {
    url: `http://127.0.0.1:${port}`,
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  })
}
