import { CookieJar } from 'tough-cookie'
import { request } from 'undici'

/** What a browser shows in the end. */
export interface Page {
  readonly status: number
  readonly url: string
  readonly body: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** All that it was led to on the way, itself the last. */
  readonly visited: readonly string[]
  /** Fields of Set-Cookie on the way. */
  readonly setCookies: readonly string[]
}

const mostRedirects = 20

/** A client that does what a browser does: keeps cookies by the rules of RFC 6265bis, and follows redirects. */
export class Browser {
  readonly jar: CookieJar

  constructor(jar = new CookieJar()) {
    this.jar = jar
  }

  /** Another one with the same cookies. */
  async copy(): Promise<Browser> {
    return new Browser(await this.jar.clone())
  }

  /** Names and values of the cookies that a URL is sent. */
  async cookies(url: string): Promise<Record<string, string>> {
    const all = await this.jar.getCookies(url)
    return Object.fromEntries(all.map(({ key, value }) => [key, value]))
  }

  /** Goes to a page. `follow: false` stops at the first answer. */
  open(url: string, options: { readonly follow?: boolean; readonly headers?: Record<string, string> } = {}) {
    return this.#go({ method: 'GET', url, body: undefined, ...options })
  }

  /** Sends the form of a page, with what is hidden in it and these fields. */
  submit({ body, url }: Page, fields: Record<string, string>): Promise<Page> {
    const action = /action="([^"]+)"/.exec(body)![1]!
    const hidden = [...body.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(
      ([, name, value]): [string, string] => [name!, value!],
    )
    const form = new URLSearchParams([...hidden, ...Object.entries(fields)])
    return this.#go({ method: 'POST', url: new URL(action, url).href, body: form.toString() })
  }

  async #go(first: {
    readonly method: 'GET' | 'POST'
    readonly url: string
    readonly body: string | undefined
    readonly follow?: boolean
    readonly headers?: Record<string, string>
  }): Promise<Page> {
    let { method, url, body } = first
    const visited: string[] = []
    const setCookies: string[] = []
    for (;;) {
      visited.push(url)
      const cookie = await this.jar.getCookieString(url)
      const answer = await request(url, {
        method,
        headers: {
          accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
          'sec-fetch-mode': 'navigate',
          ...first.headers,
          ...(cookie !== '' && { cookie }),
          ...(body !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
        },
        ...(body !== undefined && { body }),
      })
      const text = await answer.body.text()
      for (const field of [answer.headers['set-cookie'] ?? []].flat()) {
        setCookies.push(field)
        await this.jar.setCookie(field, url)
      }
      const { location } = answer.headers
      if (location === undefined || first.follow === false || visited.length > mostRedirects)
        return { status: answer.statusCode, url, body: text, headers: answer.headers, visited, setCookies }
      url = new URL(String(location), url).href
      method = 'GET'
      body = undefined
    }
  }
}
