import { afterAll, beforeAll, expect } from '@jest/globals'
import { Browser } from '../../../support/browser.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import {
  clientId,
  clientSecret,
  type OpenIdProvider,
  startOpenIdProvider,
} from '../../../support/openid-provider.ts'
import { freePorts } from '../../../support/ports.ts'
import { type RedisCluster, startRedisCluster } from '../../../support/redis-cluster.ts'
import { programForTests } from '../../../support/test-program.ts'
import { startUpstream, type Upstream } from '../../../support/upstream.ts'

const { path, test, isInstalled } = await programForTests('redis-server')
const long = 240_000

let cluster: RedisCluster
let upstream: Upstream
let provider: OpenIdProvider
let gateways: TestGateway[] = []
let urls: string[] = []

beforeAll(async () => {
  if (!isInstalled) return
  upstream = await startUpstream()
  cluster = await startRedisCluster(path)
  const ports = await freePorts(2)
  urls = ports.map((port) => `http://127.0.0.1:${port}`)
  const redirectUri = `${urls[0]}/oidc/callback`
  provider = await startOpenIdProvider({ redirectUri, postLogoutRedirectUri: `${urls[0]}/`, lifetime: 4 })
  const login = {
    client_id: clientId,
    client_secret: clientSecret,
    redirect_uri: redirectUri,
    refresh_ahead: '1h',
    secrets: ['a secret of the gateways, which is long enough'],
  }
  gateways = await Promise.all(
    ports.map((port) =>
      startGateway({
        config: {
          listeners: [{ host: '127.0.0.1', port, protocol: 'http' }],
          redis: { cluster: cluster.addresses, timeout: '1s' },
          services: [{ name: 'echo', url: upstream.url }],
          routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
          plugins: [{ name: 'oidc', config: { issuer: provider.url, login } }],
        },
      }),
    ),
  )
}, long)
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  await provider?.stop()
  await cluster?.stop()
  await upstream?.stop()
}, long)

const renewals = () => provider.grants.filter((grant) => grant === 'refresh_token').length

/** Asks both nodes at once, as often as it takes, with what the browser has. Resolves when both have renewed it. */
async function renewedByBoth(browser: Browser): Promise<void> {
  const cookie = await browser.jar.getCookieString(urls[0]!)
  const renewed = new Set<string>()
  await eventually(
    'both nodes have new tokens',
    async () => {
      const pages = await Promise.all(
        [...urls, ...urls].map((url) =>
          new Browser().open(url, { headers: { cookie, accept: 'application/json' } }),
        ),
      )
      for (const { status, setCookies, url } of pages) {
        expect(status).toBe(200)
        if (setCookies.length > 0) renewed.add(url)
      }
      return renewed.size === urls.length
    },
    20_000,
  )
}

test(
  'nodes that share Redis give a refresh token away once, and keep nothing readable there',
  async () => {
    const browser = new Browser()
    await browser.open(urls[0]!)
    await renewedByBoth(browser)
    expect(renewals()).toBe(1)
    const primaries = await cluster.primaries()
    const kept = await Promise.all(
      primaries.map(async (server) => {
        const keys = ((await server.command('KEYS', '*:oidc:*')) as string[]) ?? []
        return Promise.all(keys.map((key) => server.command('GET', key)))
      }),
    )
    expect(kept.flat()).toEqual([expect.stringMatching(/^eyJ[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/)])
  },
  long,
)

test(
  'without Redis each node asks for itself, and nobody is logged out by that',
  async () => {
    const browser = new Browser()
    await browser.open(urls[0]!)
    for (const server of cluster.servers) server.pause()
    try {
      const page = await eventually(
        'a renewal',
        async () => {
          const opened = await browser.open(urls[1]!, { headers: { accept: 'application/json' } })
          expect(opened.status).toBe(200)
          return opened.setCookies.length > 0 && opened
        },
        20_000,
      )
      expect(page.status).toBe(200)
    } finally {
      for (const server of cluster.servers) server.resume()
    }
  },
  long,
)
