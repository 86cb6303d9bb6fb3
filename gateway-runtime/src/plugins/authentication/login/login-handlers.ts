import { hash } from 'node:crypto'
import { queryParameter } from '../../../data-plane/query-parameter.ts'
import type {
  AnswerReply,
  Exchange,
  PluginContext,
  PluginHandlers,
  PluginRequest,
  ProblemReply,
  Reply,
} from '../../contract.ts'
import type { TokenHandlers } from '../tokens/token-handlers.ts'
import { VerificationUnavailable } from '../tokens/verification.ts'
import { LoginCookies, type SentCookies } from './login-cookies.ts'
import type { Begun, LoginCall } from './login-service.ts'
import type { LoginSettings } from './login-settings.ts'
import type { Issued } from './renewals.ts'
import { Seal } from './seal.ts'
import { type BegunLogin, begunLogin, type Session } from './session.ts'
import type { KnownSession, Sessions } from './sessions.ts'

/** Milliseconds that a login may take. */
const loginLifetime = 600_000
/** A longer target is not come back to: it has to fit into a cookie. */
const longestTarget = 1_500

const notBegun: ProblemReply = {
  status: 400,
  code: 'login-not-begun',
  detail: 'This browser has begun no such login, or too long ago: go to the page that you want once more.',
}
const loginRefused: ProblemReply = {
  status: 403,
  code: 'login-refused',
  detail: 'The login was refused: go to the page that you want once more.',
}

/** Has people log in at an issuer, and knows their browsers by what these keep since. */
export class LoginHandlers implements PluginHandlers {
  readonly #settings: LoginSettings
  readonly #hides: boolean
  readonly #gateway: PluginContext
  readonly #tokens: TokenHandlers
  readonly #sessions: Sessions
  readonly #cookies: LoginCookies
  readonly #logins: Seal
  readonly #callbackPath: string
  readonly #origin: string

  constructor(
    config: { readonly issuer: string; readonly login: LoginSettings; readonly hide_credentials: boolean },
    gateway: PluginContext,
    { tokens, sessions }: { readonly tokens: TokenHandlers; readonly sessions: Sessions },
  ) {
    const { issuer, login: settings } = config
    this.#settings = settings
    this.#hides = config.hide_credentials
    this.#gateway = gateway
    this.#tokens = tokens
    this.#sessions = sessions
    this.#cookies = new LoginCookies(settings.cookie_name)
    this.#logins = new Seal(settings.secrets, ['login', issuer, settings.client_id])
    const { pathname, origin } = new URL(settings.redirect_uri)
    this.#callbackPath = pathname
    this.#origin = origin
  }

  onRequest(exchange: Exchange): Reply | undefined | Promise<Reply | undefined> {
    const { request } = exchange
    const sent = this.#cookies.sentWith(request)
    if (request.path === this.#callbackPath) return this.#finish(exchange, sent)
    if (request.path === this.#settings.logout_path) return this.#end(exchange, sent)
    if (this.#hides && !sent.isEmpty) this.#cookies.hide(request)
    return this.#tokens.onRequest(exchange, () => this.#onSession(exchange, sent))
  }

  /** Of a request without a token. */
  #onSession(exchange: Exchange, sent: SentCookies): Reply | undefined | Promise<Reply | undefined> {
    const { session } = sent
    if (session === undefined) return this.#ask(exchange, [], sent)
    const key = hash('sha256', session, 'base64')
    const known = this.#sessions.remembered(key)
    if (known) return this.#letIn(exchange, known, sent)
    return this.#sessions.recall(key, session).then(
      (found) =>
        found ? this.#letIn(exchange, found, sent) : this.#ask(exchange, sent.clearSession(), sent),
      (error) => this.#tokens.onError(exchange, error),
    )
  }

  #letIn(
    exchange: Exchange,
    { admission, accessToken, renewed }: KnownSession,
    sent: SentCookies,
  ): Reply | undefined {
    if (renewed) {
      const cookies = sent.setSession(renewed.text, (renewed.endsAt - Date.now()) / 1_000)
      for (const cookie of cookies) exchange.addResponseHeader('set-cookie', cookie)
    }
    const refusal = this.#tokens.letIn(exchange, admission, () => {})
    if (!refusal && this.#settings.pass_access_token)
      exchange.request.setHeader('authorization', `Bearer ${accessToken}`)
    return refusal
  }

  /** Browsers that go to a page are sent to the issuer; programs are told that they need a token. */
  #ask(exchange: Exchange, cleared: readonly string[], sent: SentCookies): Reply | Promise<Reply> {
    if (isNavigation(exchange.request)) return this.#begin(exchange, cleared, sent)
    for (const cookie of cleared) exchange.addResponseHeader('set-cookie', cookie)
    return this.#tokens.refuseMissing(exchange)
  }

  async #begin(exchange: Exchange, cleared: readonly string[], sent: SentCookies): Promise<Reply> {
    const { path, query } = exchange.request
    const target = `${path}${query}`
    try {
      const { url, ...begun } = (await this.#call({ login: 'begin' })) as Begun
      const login: BegunLogin = { ...begun, target: target.length <= longestTarget ? target : '/' }
      const sealed = await this.#logins.seal(login, Date.now() + loginLifetime)
      return redirect(url, [...cleared, ...sent.setLogin(begun.state, sealed, loginLifetime / 1_000)])
    } catch (error) {
      return this.#tokens.onError(exchange, error)
    }
  }

  /** The issuer has sent the browser back. */
  async #finish(exchange: Exchange, sent: SentCookies): Promise<Reply> {
    const { method, query } = exchange.request
    const state = queryParameter(query, 'state') ?? ''
    const login = begunLogin.safeParse(await this.#logins.open(sent.login(state) ?? ''))
    if (method !== 'GET' || !login.success || login.data.state !== state)
      return this.#refuse(exchange, notBegun, 'nobody has begun it')
    exchange.addResponseHeader('set-cookie', sent.clearLogin(state))
    const { target, ...begun } = login.data
    try {
      const issued = (await this.#call({ login: 'finish', query, begun })) as Issued
      if ('refused' in issued) return this.#refuse(exchange, loginRefused, issued.refused)
      const lifetime = this.#settings.session_lifetime
      const session: Session = { tokens: issued.tokens, endsAt: Date.now() + lifetime }
      this.#gateway.count('logins')
      // Only a path was sealed: whatever it is, it is one of this host.
      return redirect(
        `${this.#origin}${target}`,
        sent.setSession(await this.#sessions.seal(session), lifetime / 1_000),
      )
    } catch (error) {
      return this.#tokens.onError(exchange, error)
    }
  }

  async #end(exchange: Exchange, sent: SentCookies): Promise<Reply> {
    const session = sent.session === undefined ? undefined : await this.#sessions.open(sent.session)
    const next = this.#settings.post_logout_redirect_uri ?? `${this.#origin}/`
    if (!session) return redirect(next, sent.clearSession())
    this.#gateway.count('logouts')
    const url = await this.#call({ login: 'end', tokens: session.tokens }).catch((error: Error) => {
      // The browser forgets the session in any case.
      const { message } = error
      this.#gateway.log('warn', 'session not ended at the issuer', {
        reason: message,
        request_id: exchange.requestId,
      })
    })
    return redirect((url as string | undefined) ?? next, sent.clearSession())
  }

  #call(call: LoginCall): Promise<unknown> {
    return this.#gateway.call(call).catch((error: Error) => {
      throw new VerificationUnavailable(error.message)
    })
  }

  #refuse(exchange: Exchange, reply: ProblemReply, reason: string): Reply {
    this.#gateway.count('login_refused')
    const { routeName, requestId } = exchange
    this.#gateway.log('warn', 'login refused', { reason, route: routeName, request_id: requestId })
    exchange.setResponseHeader('cache-control', 'no-store')
    return reply
  }
}

/** Whether a person waits for a page, and not a script for an answer: those could not show a login. */
function isNavigation(request: PluginRequest): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false
  if (request.header('x-requested-with')?.toLowerCase() === 'xmlhttprequest') return false
  const mode = request.header('sec-fetch-mode')
  if (mode !== undefined && mode !== 'navigate') return false
  return /\btext\/html\b/i.test(request.header('accept') ?? '')
}

const redirect = (url: string, cookies: readonly string[]): AnswerReply => ({
  status: 302,
  headers: [
    ['location', url],
    ['cache-control', 'no-store'],
    ...cookies.map((cookie) => ['set-cookie', cookie] as const),
  ],
  body: Buffer.alloc(0),
})
