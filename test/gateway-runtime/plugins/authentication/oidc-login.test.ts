import { afterEach, describe, expect, test } from '@jest/globals'
import { Client } from 'undici'
import { oidc } from '../../../../gateway-runtime/src/plugins/authentication/oidc.ts'
import { Browser, type Page } from '../../../support/browser.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import {
  clientId,
  clientSecret,
  type OpenIdProvider,
  type OpenIdProviderOptions,
  startOpenIdProvider,
} from '../../../support/openid-provider.ts'
import { freePort, freePorts } from '../../../support/ports.ts'
import { type Echo, startUpstream, type Upstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const secrets = ['a secret of the gateways, which is long enough', 'one that came before it, and is as long']

interface Place {
  readonly provider: OpenIdProvider
  readonly upstream: Upstream
  /** Where people go: the host of redirect_uri. */
  readonly url: string
  readonly gateway: TestGateway
  /** Another node, or the same one with other settings. */
  another(login?: object, more?: object): Promise<TestGateway>
}

interface PlaceOptions extends Partial<OpenIdProviderOptions> {
  readonly login?: object
  readonly config?: object
  readonly more?: object
}

async function start({ login = {}, config = {}, more = {}, ...options }: PlaceOptions = {}): Promise<Place> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const redirectUri = `${url}/oidc/callback`
  const postLogoutRedirectUri = `${url}/bye`
  const provider = await startOpenIdProvider({ redirectUri, postLogoutRedirectUri, ...options })
  ended.push(() => provider.stop())
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const own = (otherLogin: object) => ({
    name: 'oidc',
    config: {
      issuer: provider.url,
      claims_to_headers: { email: 'x-user-email', teams: 'x-user-teams' },
      login: {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uri: redirectUri,
        post_logout_redirect_uri: postLogoutRedirectUri,
        scopes: ['openid', 'email'],
        secrets: [secrets[0]],
        ...login,
        ...otherLogin,
      },
      ...config,
    },
  })
  const startOn = async (listener: number, otherLogin: object, moreSettings: object) => {
    const gateway = await startGateway({
      config: {
        listeners: [{ host: '127.0.0.1', port: listener, protocol: 'http' }],
        services: [{ name: 'echo', url: upstream.url }],
        routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
        plugins: [own(otherLogin)],
        ...more,
        ...moreSettings,
      },
    })
    ended.push(() => gateway.stop())
    return gateway
  }
  const place: Place = {
    provider,
    upstream,
    url,
    gateway: await startOn(port, {}, {}),
    another: async (otherLogin = {}, moreSettings = {}) => {
      const [other] = (await freePorts(1)) as [number]
      const gateway = await startOn(other, otherLogin, moreSettings)
      // Cookies are of a host, whatever its port: this one stands in the place of the first.
      return { ...gateway, url: `http://127.0.0.1:${other}` }
    },
  }
  return place
}

const seen = (page: Page): Echo => JSON.parse(page.body) as Echo
const userOf = (page: Page) => (page.status === 200 ? seen(page).headers['x-user-email'] : page.status)
const sessionsOf = async (browser: Browser, url: string) =>
  Object.keys(await browser.cookies(url)).filter((name) => /^__Host-session(\.\d)?$/.test(name))
const loginsOf = async (browser: Browser, url: string) =>
  Object.keys(await browser.cookies(url)).filter((name) => name.startsWith('__Host-session.login.'))
const api = { accept: 'application/json', 'sec-fetch-mode': 'cors' }

describe('oidc: logging in with a browser', () => {
  test('leads through the issuer, and back to the page that was asked for', async () => {
    const { provider, url, upstream } = await start()
    provider.claims = { teams: ['red', 'blue'] }
    const browser = new Browser()
    await browser.jar.setCookie('theme=dark', url)
    const page = await browser.open(`${url}/orders/7?page=2&q=a%20b`)
    expect(page.status).toBe(200)
    expect(page.url).toBe(`${url}/orders/7?page=2&q=a%20b`)
    expect(seen(page)).toMatchObject({ method: 'GET', url: '/orders/7?page=2&q=a%20b' })
    expect(seen(page).headers).toMatchObject({
      'x-user-email': 'ada@example.com',
      'x-user-teams': 'red, blue',
      'x-consumer-username': `${provider.url}#ada`,
      cookie: 'theme=dark',
    })
    expect(seen(page).headers.authorization).toBeUndefined()

    const [asked] = provider.asked
    expect(asked!.get('code_challenge_method')).toBe('S256')
    for (const name of ['code_challenge', 'state', 'nonce'])
      expect(asked!.get(name)!.length).toBeGreaterThan(40)
    expect(asked!.get('response_type')).toBe('code')
    for (const cookie of page.setCookies.filter((text) => text.startsWith('__Host-')))
      expect(cookie).toMatch(/; Max-Age=\d+; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
    expect(await loginsOf(browser, url)).toEqual([])

    const again = await browser.open(`${url}/orders/8`)
    expect(again.visited).toHaveLength(1)
    expect(again.setCookies).toEqual([])
    expect(userOf(again)).toBe('ada@example.com')
    expect(upstream.requests).toHaveLength(2)
  })

  test('redirects nobody who could not show a login', async () => {
    const { provider, url } = await start()
    for (const headers of [
      { accept: 'application/json' },
      { accept: '*/*' },
      { 'sec-fetch-mode': 'cors' },
      { 'x-requested-with': 'XMLHttpRequest' },
      { authorization: 'Bearer no-token' },
    ]) {
      const page = await new Browser().open(`${url}/`, { headers: headers as Record<string, string> })
      expect([page.status, page.setCookies]).toEqual([401, []])
      expect(page.headers['www-authenticate']).toMatch(/^Bearer /)
      expect(page.headers['content-type']).toMatch(/^application\/problem\+json/)
    }
    const posted = await fetch(url, { method: 'POST', body: '{}', headers: { accept: 'text/html' } })
    expect(posted.status).toBe(401)
    expect(provider.asked).toEqual([])
  })

  test('lets scripts of the page in by its session, and takes bearer tokens beside it', async () => {
    const { url, upstream } = await start({ login: { pass_access_token: true } })
    const browser = new Browser()
    await browser.open(url)
    const answer = await browser.open(`${url}/data`, { headers: api })
    expect(userOf(answer)).toBe('ada@example.com')
    expect(seen(answer).headers.authorization).toMatch(/^Bearer .{20}/)
    const wrong = await browser.open(`${url}/data`, { headers: { ...api, authorization: 'Bearer a.b.c' } })
    expect(wrong.status).toBe(401)
    expect(upstream.requests).toHaveLength(2)
  })

  test('keeps all of a session in the browser: another node, a restart and a reload know it', async () => {
    const { url, gateway, another, provider } = await start({ more: { workers: 2 } })
    const browser = new Browser()
    await browser.open(url)
    const grants = provider.grants.length
    const node = await another()
    expect(userOf(await browser.open(node.url))).toBe('ada@example.com')
    expect((await gateway.cli('plugins', 'add', 'correlation-id')).code).toBe(0)
    expect(userOf(await browser.open(url))).toBe('ada@example.com')
    expect(provider.grants).toHaveLength(grants)
  })

  test('opens what was sealed with any of its secrets, and nothing else', async () => {
    const { url, another } = await start()
    const browser = new Browser()
    await browser.open(url)
    const turned = await another({ secrets: [secrets[1], secrets[0]] })
    expect(userOf(await browser.open(turned.url, { headers: api }))).toBe('ada@example.com')
    const forgotten = await another({ secrets: [secrets[1]] })
    const refused = await (await browser.copy()).open(forgotten.url, { headers: api })
    expect(refused.status).toBe(401)
    expect(refused.setCookies).toEqual(['__Host-session=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax'])
    const other = await another({ client_id: 'another' })
    expect((await (await browser.copy()).open(other.url, { headers: api })).status).toBe(401)
  })

  test('believes no session and no login that somebody has changed', async () => {
    const { url } = await start()
    const browser = new Browser()
    await browser.open(url)
    const { '__Host-session': session } = await browser.cookies(url)
    const parts = session!.split('.')
    const flip = (text: string) => `${text[0] === 'A' ? 'B' : 'A'}${text.slice(1)}`
    const forged = [
      ...parts.map((_, index) => parts.map((part, at) => (at === index ? flip(part) : part)).join('.')),
      session!.slice(0, -1),
      `${session}.`,
      '',
      'x',
      'eyJhbGciOiJub25lIn0.e30.',
    ]
    for (const value of forged) {
      const answer = await new Browser().open(url, { headers: { ...api, cookie: `__Host-session=${value}` } })
      expect(answer.status).toBe(401)
    }
    // A login is sealed with the same secret, and is no session.
    const begun = new Browser()
    await begun.open(url, { follow: false })
    const [login] = Object.values(await begun.cookies(url))
    const answer = await new Browser().open(url, { headers: { ...api, cookie: `__Host-session=${login}` } })
    expect(answer.status).toBe(401)
  })

  test('finishes only what the same browser has begun, and that once', async () => {
    const { url, provider, gateway } = await start()
    const [ada, eve] = [new Browser(), new Browser()]
    // Eve has her own code sent to Ada, so that Ada would go on as Eve.
    provider.user = 'eve'
    const evil = await eve.open(url)
    const callback = evil.visited.find((visited) => visited.includes('/oidc/callback?'))!
    expect((await ada.open(callback)).status).toBe(400)
    expect(await sessionsOf(ada, url)).toEqual([])
    expect((await eve.open(callback)).status).toBe(400)
    expect((await eve.open(`${url}/oidc/callback`)).status).toBe(400)
    const begun = await ada.open(url, { follow: false })
    const state = new URL(String(begun.headers.location)).searchParams.get('state')!
    const forged = await ada.open(`${url}/oidc/callback?code=made-up&state=${state}&iss=${provider.url}`)
    expect(forged.status).toBe(403)
    expect(await sessionsOf(ada, url)).toEqual([])
    await eventually('the reason', async () => (await gateway.errorLog()).includes('it says invalid_grant'))
    expect(await gateway.errorLog()).not.toMatch(/made-up|code_verifier|which is long enough/)
  })

  test('leads to no other host, whatever was asked for', async () => {
    const { url } = await start()
    for (const target of [
      '//evil.example/x',
      '/%5Cevil.example',
      '/.//evil.example',
      '/@evil.example',
      '/?to=//evil.example',
    ]) {
      const browser = new Browser()
      const { statusCode, headers } = await rawGet(url, target)
      if (statusCode === 400) continue
      const state = await browserWith(browser, url, headers)
      const page = await browser.open(state)
      expect(new URL(page.url).origin).toBe(url)
      expect(page.status).toBe(200)
    }
    const spoofed = await rawGet(url, '/', { host: 'evil.example' })
    expect(new URL(String(spoofed.headers.location)).searchParams.get('redirect_uri')).toBe(
      `${url}/oidc/callback`,
    )
  })

  test('remembers a few begun logins of a browser, and no more', async () => {
    const { url } = await start()
    const browser = new Browser()
    for (let tab = 0; tab < 9; tab++) await browser.open(`${url}/${tab}`, { follow: false })
    expect(await loginsOf(browser, url)).toHaveLength(4)
    const long = await browser.open(`${url}/?q=${'x'.repeat(2_000)}`)
    expect(long.url).toBe(`${url}/`)
    expect(await loginsOf(browser, url)).toHaveLength(3)
  })

  test('tells who gives up at the issuer, and lets them try again', async () => {
    const { url, provider } = await start()
    provider.user = undefined
    const browser = new Browser()
    const page = await browser.open(url)
    expect([page.status, JSON.parse(page.body).code]).toEqual([403, 'login-refused'])
    expect(await loginsOf(browser, url)).toEqual([])
    provider.user = 'bob'
    expect(userOf(await browser.open(url))).toBe('bob@example.com')
  })

  test('puts a long session into several cookies, and takes away what is left of it', async () => {
    const { url, provider } = await start()
    provider.claims = { padding: 'p'.repeat(6_000) }
    const browser = new Browser()
    const page = await browser.open(url)
    expect(userOf(page)).toBe('ada@example.com')
    const names = await sessionsOf(browser, url)
    expect(names).toEqual(names.map((_, index) => `__Host-session.${index}`))
    expect(names.length).toBeGreaterThan(1)
    for (const cookie of page.setCookies) expect(cookie.split(';')[0]!.length).toBeLessThanOrEqual(4_096)
    expect(seen(page).headers.cookie).toBeUndefined()
    expect(userOf(await browser.open(url, { headers: api }))).toBe('ada@example.com')

    const { '__Host-session.1': lost, ...rest } = await browser.cookies(url)
    expect(lost).toBeDefined()
    const cookie = Object.entries(rest)
      .map((pair) => pair.join('='))
      .join('; ')
    expect((await new Browser().open(url, { headers: { ...api, cookie } })).status).toBe(401)

    provider.claims = {}
    provider.revokeAll()
    await browser.open(`${url}/oidc/logout`, { follow: false })
    expect(userOf(await browser.open(url))).toBe('ada@example.com')
    expect(await sessionsOf(browser, url)).toEqual(['__Host-session'])
    provider.claims = { padding: 'p'.repeat(30_000) }
    expect((await new Browser().open(url)).status).toBe(500)
  })

  test('asks for claims that are not in the ID token where it is told to', async () => {
    const { url, another } = await start({ claimsInIdToken: false, login: { userinfo: true } })
    const browser = new Browser()
    expect(userOf(await browser.open(url))).toBe('ada@example.com')
    const node = await another()
    expect(userOf(await browser.open(node.url))).toBe('ada@example.com')
  })

  test('finds consumers and scopes for sessions as for tokens', async () => {
    const consumers = [{ name: 'ada', groups: ['staff'], credentials: { oidc: [{ subject: 'ada' }] } }]
    const { url, provider } = await start({
      config: { consumer_required: true, scopes: ['email'] },
      more: { consumers },
    })
    const page = await new Browser().open(url)
    expect(seen(page).headers['x-consumer-username']).toBe('ada')
    provider.user = 'bob'
    const other = await new Browser().open(url)
    expect([other.status, other.url]).toEqual([401, `${url}/`])
  })

  test('answers 403 to a session without a scope that is needed', async () => {
    const { url } = await start({ config: { scopes: ['admin'] } })
    const page = await new Browser().open(url)
    expect([page.status, JSON.parse(page.body).code]).toEqual([403, 'insufficient-scope'])
  })
})

describe('oidc: settings of a login', () => {
  const settings = {
    issuer: 'https://login.example.com',
    login: { client_id: 'shop', redirect_uri: 'https://shop.example.com/oidc/callback', secrets },
  }
  const problemOf = (more: object, login: object = {}) =>
    oidc.config
      .safeParse({ ...settings, ...more, login: { ...settings.login, ...login } })
      .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)

  test('are refused where they would be unsafe, with the path of what is wrong', () => {
    expect(problemOf({})).toBeUndefined()
    expect(problemOf({}, { secrets: ['short'] })).toEqual([
      'login.secrets.0: expected at least 32 characters',
    ])
    expect(problemOf({}, { redirect_uri: 'http://shop.example.com/callback' })?.[0]).toMatch(
      /^login.redirect_uri: /,
    )
    expect(problemOf({}, { redirect_uri: 'https://shop.example.com/callback?x=1' })?.[0]).toMatch(/no query/)
    expect(problemOf({}, { parameters: { state: 'x' } })?.[0]).toMatch(/^login.parameters: /)
    expect(problemOf({}, { cookie_name: 'a;b' })?.[0]).toMatch(/^login.cookie_name: /)
    expect(problemOf({ anonymous: true })?.[0]).toMatch(/^anonymous: /)
  })
})

describe('oidc: sessions in time', () => {
  test('has tokens renewed ahead of their end, once for all requests that come at a time', async () => {
    const { url, provider } = await start({ lifetime: 2, more: { workers: 2 } })
    const browser = new Browser()
    await browser.open(url)
    const cookie = await browser.jar.getCookieString(url)
    const renewals = () => provider.grants.filter((grant) => grant === 'refresh_token').length
    // All of them with what the browser had in the beginning, as requests that are sent at once have.
    const pages = await eventually('a renewal', async () => {
      const batch = await Promise.all(
        Array.from({ length: 20 }, () => new Browser().open(url, { headers: { ...api, cookie } })),
      )
      return batch.some(({ setCookies }) => setCookies.length > 0) && batch
    })
    expect(new Set(pages.map(userOf))).toEqual(new Set(['ada@example.com']))
    expect(renewals()).toBe(1)
    const late = await browser.open(url, { headers: api })
    expect(userOf(late)).toBe('ada@example.com')
    expect(late.setCookies).toHaveLength(1)
    expect(renewals()).toBe(1)
  })

  test('goes on while the issuer is out and the access token is good, and not longer', async () => {
    const { url, provider, gateway } = await start({ lifetime: 3, login: { refresh_ahead: '1h' } })
    const browser = new Browser()
    await browser.open(url)
    await provider.stop()
    const statuses: number[] = []
    await eventually(
      'the end of the access token',
      async () => {
        const { status } = await browser.open(url, { headers: api })
        statuses.push(status)
        return status !== 200
      },
      10_000,
    )
    expect(new Set(statuses)).toEqual(new Set([200, 503]))
    expect(await gateway.errorLog()).toContain('session not renewed')
    await provider.resume()
    const back = await eventually(
      'the issuer',
      async () => {
        const page = await browser.open(url, { headers: api })
        return page.status === 200 && page
      },
      10_000,
    )
    expect(userOf(back)).toBe('ada@example.com')
  })

  test('asks to log in again where the issuer has ended it', async () => {
    const { url, provider } = await start({ lifetime: 2, login: { refresh_ahead: '1h' } })
    const browser = new Browser()
    await browser.open(url)
    provider.revokeAll()
    provider.user = 'bob'
    const page = await eventually(
      'another login',
      async () => {
        const opened = await browser.open(url)
        return opened.visited.length > 1 && opened
      },
      10_000,
    )
    expect(userOf(page)).toBe('bob@example.com')
  })

  test('ends with the access token where there is no other', async () => {
    const { url, provider } = await start({ lifetime: 1, withoutRefresh: true })
    const browser = new Browser()
    await browser.open(url)
    await eventually('the end', async () => (await browser.open(url, { headers: api })).status === 401)
    expect(await sessionsOf(browser, url)).toEqual([])
    // The issuer still knows the browser: nobody has to type anything.
    const logins = provider.logins
    expect(userOf(await browser.open(url))).toBe('ada@example.com')
    expect(provider.logins).toBe(logins)
  })

  test('is ended here and at the issuer by a logout', async () => {
    const { url, provider, upstream } = await start()
    const browser = new Browser()
    await browser.open(url)
    const stolen = await browser.copy()
    const form = await browser.open(`${url}/oidc/logout`)
    expect(form.url).toMatch(/\/session\/end\?.*id_token_hint=/)
    expect(await sessionsOf(browser, url)).toEqual([])
    provider.user = 'bob'
    const bye = await browser.submit(form, { logout: 'yes' })
    // That page needs a login, too: bob's now, as the issuer has forgotten ada.
    expect(bye.visited).toContain(`${url}/bye`)
    expect(userOf(bye)).toBe('bob@example.com')
    expect(upstream.requests.map((request) => request.url)).toEqual(['/', '/bye'])
    expect((await stolen.open(`${url}/oidc/logout`, { follow: false })).status).toBe(302)
    const nobody = await new Browser().open(`${url}/oidc/logout`, { follow: false })
    expect(nobody.headers.location).toBe(`${url}/bye`)
  })
})

/** One answer to a target as it stands, without what a browser would make of it. */
async function rawGet(origin: string, path: string, headers: Record<string, string> = {}) {
  const client = new Client(origin)
  try {
    const answer = await client.request({ method: 'GET', path, headers: { accept: 'text/html', ...headers } })
    await answer.body.dump()
    return answer
  } finally {
    await client.close()
  }
}

/** Has a browser keep the cookies of an answer. Returns where that leads. */
async function browserWith(
  browser: Browser,
  url: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Promise<string> {
  for (const field of [headers['set-cookie'] ?? []].flat()) await browser.jar.setCookie(field, url)
  return String(headers.location)
}
