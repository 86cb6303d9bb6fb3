/** What stands in place of a secret. */
export const masked = '***'

const secretKey =
  /(^|_)(secret|password|passwd|token|passphrase|private_key|secret_key|secret_access_key|key_secret|encryption_keys?|hmac_key|api_key|apikey)$|^(proxy-)?authorization$/i
const credentialKey = /^(key|secret|password|sha256|client_secret)$/
const reference = /^\$\{(env|file):[^}]*\}$/

/**
 * A copy of a configuration, entity or part of it without secrets: private keys in PEM, passwords, tokens, the
 * userinfo of URLs, and all that credentials of consumers consist of. References such as `${env:NAME}` and paths of
 * files tell nothing, and stay.
 */
export function maskSecrets<Value>(value: Value): Value {
  return mask(value, [], false) as Value
}

function mask(value: unknown, path: readonly string[], inCredentials: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => mask(item, path, inCredentials))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        mask(item, [...path, key], inCredentials || key === 'credentials'),
      ]),
    )
  }
  if (typeof value !== 'string' || value === '' || reference.test(value)) return value
  const key = path.at(-1) ?? ''
  if (value.includes('PRIVATE KEY-----') || secretKey.test(key)) return masked
  if (inCredentials && credentialKey.test(key)) return masked
  return value.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#@\s]+@/i, `$1${masked}@`)
}
