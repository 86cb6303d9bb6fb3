import type { RedisClientOptions } from '@redis/client'
import type { IamTokens } from '../aws/iam-token.ts'

/**
 * ElastiCache ends a connection that has not authenticated for 12 hours. Each does so anew long before.
 * Source: ElastiCache User Guide, "Authenticating with IAM", limitations.
 */
const renewInterval = 10 * 60_000

type StreamingCredentials = Extract<
  RedisClientOptions['credentialsProvider'],
  { type: 'streaming-credentials-provider' }
>

/** Authenticates each connection with a token of its own, and again every ten minutes. */
export const iamCredentials = (
  tokens: Pick<IamTokens, 'user' | 'next'>,
  interval = renewInterval,
): StreamingCredentials => ({
  type: 'streaming-credentials-provider',
  async subscribe(listener) {
    const credentials = async () => ({ username: tokens.user, password: await tokens.next() })
    // One that could not be made is tried again next time: twelve hours leave room for many.
    const renew = () =>
      credentials().then(
        (next) => listener.onNext(next),
        () => {},
      )
    const first = await credentials()
    const timer = setInterval(renew, interval).unref()
    return [first, { dispose: () => clearInterval(timer) }]
  },
  onReAuthenticationError: () => {}, // the connection goes on until it is closed, and its successor has a new token
})
