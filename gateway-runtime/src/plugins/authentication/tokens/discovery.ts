import { z } from 'zod'
import type { JsonClient } from './fetch-json.ts'
import { issuerUrl } from './issuer-settings.ts'

// What is of no use here keeps nobody from using the rest.
const ifSafe = issuerUrl.optional().catch(undefined)

const documentSchema = z.looseObject({
  issuer: z.string(),
  jwks_uri: issuerUrl,
  introspection_endpoint: issuerUrl.optional(),
  authorization_endpoint: ifSafe,
  token_endpoint: ifSafe,
  userinfo_endpoint: ifSafe,
  revocation_endpoint: ifSafe,
  end_session_endpoint: ifSafe,
})

/** What an issuer says of itself. */
export type Discovered = z.output<typeof documentSchema>

/**
 * Asks an issuer for its endpoints (OpenID Connect Discovery 1.0 section 4). Rejects with what is wrong with its
 * answer, also where it is the one of another issuer.
 */
export async function discover(
  issuer: string,
  client: JsonClient,
  signal?: AbortSignal,
): Promise<Discovered> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const parsed = documentSchema.safeParse(await client.ask(url, signal ? { signal } : {}))
  if (!parsed.success) {
    const [problem] = parsed.error.issues
    throw new Error(
      `the configuration of the issuer has no right ${problem!.path.join('.')}: ${problem!.message}`,
    )
  }
  if (parsed.data.issuer !== issuer) throw new Error('the configuration is that of another issuer')
  return parsed.data
}
