import type { PluginRequest } from '../contract.ts'

/** The cookies of a request (RFC 6265 section 5.4); `pair` as it was written. */
export function* cookiesOf(request: PluginRequest): Iterable<[name: string, value: string, pair: string]> {
  for (const [field, text] of request.headers()) {
    if (field !== 'cookie') continue
    for (const pair of text.split(';')) {
      const [name = '', ...value] = pair.trim().split('=')
      if (pair.trim() !== '') yield [name, value.join('='), pair.trim()]
    }
  }
}

/** Keeps cookies from the service. */
export function hideCookies(request: PluginRequest, isHidden: (name: string) => boolean): void {
  const kept = [...cookiesOf(request)].filter(([cookie]) => !isHidden(cookie)).map(([, , pair]) => pair)
  if (kept.length > 0) request.setHeader('cookie', kept.join('; '))
  else request.removeHeader('cookie')
}
