import type { PluginRequest } from '../../contract.ts'
import { cookiesOf, hideCookies } from '../request-cookies.ts'

/** Browsers take 4,096 bytes of a cookie, its name included (RFC 6265 section 6.1). */
const mostInOne = 3_800
/** A request head may have 32 KiB by default: this leaves room for what else stands there. */
const mostPieces = 5
/** Logins that one browser may have begun at a time, in as many tabs. */
const mostLogins = 4

/** Cookies of sessions, and of logins that were begun. A session that is too long for one is in several. */
export class LoginCookies {
  readonly #name: string
  readonly #pattern: RegExp

  /** @param name - of letters, digits, "_" and "-" */
  constructor(name: string) {
    this.#name = name
    this.#pattern = new RegExp(`^${name}(\\.\\d|\\.login\\.[\\w-]+)?$`)
  }

  /** Those that a browser has sent; of several with one name the first, as the most specific. */
  sentWith(request: PluginRequest): SentCookies {
    const values = new Map<string, string>()
    for (const [name, value] of cookiesOf(request))
      if (this.#pattern.test(name) && !values.has(name)) values.set(name, value)
    return new SentCookies(this.#name, values)
  }

  /** Keeps all of them from the service. */
  hide(request: PluginRequest): void {
    hideCookies(request, (name) => this.#pattern.test(name))
  }
}

/** What one browser has. */
export class SentCookies {
  readonly #name: string
  readonly #loginPrefix: string
  readonly #values: ReadonlyMap<string, string>

  constructor(name: string, values: ReadonlyMap<string, string>) {
    this.#name = name
    this.#loginPrefix = `${name}.login.`
    this.#values = values
  }

  get isEmpty(): boolean {
    return this.#values.size === 0
  }

  /** The sealed session. */
  get session(): string | undefined {
    const whole = this.#values.get(this.#name)
    if (whole !== undefined) return whole
    const pieces: string[] = []
    for (let piece = this.#values.get(this.#piece(0)); piece !== undefined; ) {
      pieces.push(piece)
      piece = pieces.length < mostPieces ? this.#values.get(this.#piece(pieces.length)) : undefined
    }
    return pieces.length > 0 ? pieces.join('') : undefined
  }

  /**
   * Set-Cookie fields that leave the browser with this session, and no piece of the one before.
   * @param seconds - that it is kept
   * @throws where it is too long
   */
  setSession(text: string, seconds: number): string[] {
    if (text.length > mostPieces * mostInOne)
      throw new Error(
        `a session of ${text.length} bytes does not fit into cookies, which take ${mostPieces * mostInOne}: have the issuer put less into its tokens`,
      )
    const set = new Map<string, string>()
    if (text.length <= mostInOne) set.set(this.#name, text)
    else
      for (let start = 0; start < text.length; start += mostInOne)
        set.set(this.#piece(set.size), text.slice(start, start + mostInOne))
    const rest = this.#sessionNames.filter((name) => !set.has(name))
    return [...rest.map(clearing), ...[...set].map(([name, value]) => setting(name, value, seconds))]
  }

  /** Set-Cookie fields that take the session from the browser. */
  clearSession(): string[] {
    return this.#sessionNames.map(clearing)
  }

  /** What was sealed when the login with this state was begun. */
  login(state: string): string | undefined {
    return this.#values.get(this.#login(state))
  }

  /** Set-Cookie fields that remember one more login; the oldest of too many are forgotten. */
  setLogin(state: string, text: string, seconds: number): string[] {
    // Browsers send what they were given first, first (RFC 6265 section 5.4).
    const begun = [...this.#values.keys()].filter((name) => name.startsWith(this.#loginPrefix))
    const surplus = begun.slice(0, Math.max(begun.length - mostLogins + 1, 0))
    return [...surplus.map(clearing), setting(this.#login(state), text, seconds)]
  }

  clearLogin(state: string): string {
    return clearing(this.#login(state))
  }

  get #sessionNames(): string[] {
    return [...this.#values.keys()].filter((name) => !name.startsWith(this.#loginPrefix))
  }

  #login(state: string): string {
    return `${this.#loginPrefix}${state.slice(0, 8)}`
  }

  #piece(index: number): string {
    return `${this.#name}.${index}`
  }
}

const setting = (name: string, value: string, seconds: number) =>
  `${name}=${value}; Max-Age=${Math.max(Math.floor(seconds), 0)}; Path=/; Secure; HttpOnly; SameSite=Lax`
const clearing = (name: string) => setting(name, '', 0)
