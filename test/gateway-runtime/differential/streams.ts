import fc, { type Arbitrary } from 'fast-check'

/** The fixed seed keeps a run comparable with the last one; the other one finds what it never will. */
export const seeds = (): number[] => [20_260_701, Date.now() % 2 ** 31]

/** How long one property runs: by count, and by time on a slow machine. DIFFERENTIAL_RUNS raises the count. */
export const runs = (seed: number) => ({
  seed,
  numRuns: Number(process.env.DIFFERENTIAL_RUNS ?? 300),
  ...(!process.env.DIFFERENTIAL_RUNS && { interruptAfterTimeLimit: 4_000 }),
})

/** A text in pieces: cut at the given places, which are taken modulo its length. */
export function cut(text: string, cuts: readonly number[]): string[] {
  const places = [...new Set(cuts.map((place) => place % Math.max(text.length, 1)))].sort((a, b) => a - b)
  return [0, ...places]
    .map((place, index) => text.substring(place, places[index] ?? text.length))
    .filter(Boolean)
}

const words = (alphabet: string, minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength })

const name = words('abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-', 1, 12).map((text) => `X-${text}`)
const value = words('abc XYZ019\t!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~\xe9\xff', 0, 20)
const field = fc.tuple(name, value).map(([key, text]) => `${key}: ${text}\r\n`)
const path = fc
  .tuple(words("abcxyz019-._~!$&'()*+,;=:@", 1, 12), fc.option(words('abc019-._~=&/?%', 0, 12)))
  .map(([segment, query]) => `/p${segment}${query === null ? '' : `?${query}`}`)
const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'QUERY')
const bytes = fc.oneof(
  words('abc\r\n\0 :;0123456789\xff', 0, 60),
  fc.constantFrom(
    '0\r\n\r\n',
    'GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n',
    'x'.repeat(9_000),
    'y'.repeat(70_000),
  ),
)
const extension = fc.constantFrom('', '', ';a', ';a=b', ';a="b;c"')

const chunkedBody = fc
  .tuple(fc.array(fc.tuple(bytes, extension), { maxLength: 4 }), fc.array(field, { maxLength: 2 }))
  .map(([chunks, trailers]) => {
    const data = chunks
      .filter(([chunk]) => chunk !== '')
      .map(([chunk, ext]) => `${chunk.length.toString(16)}${ext}\r\n${chunk}\r\n`)
    return {
      fields: 'Transfer-Encoding: chunked\r\n',
      content: `${data.join('')}0\r\n${trailers.join('')}\r\n`,
    }
  })

/** The fields that frame a body, and the bytes of it. */
const framedBody = fc.oneof(
  fc.constant({ fields: '', content: '' }),
  bytes.map((content) => ({ fields: `Content-Length: ${content.length}\r\n`, content })),
  chunkedBody,
)

const request = fc
  .tuple(method, path, fc.array(field, { maxLength: 4 }), framedBody)
  .map(
    ([verb, target, fields, body]) =>
      `${verb} ${target} HTTP/1.1\r\nHost: h\r\n${fields.join('')}${body.fields}\r\n${body.content}`,
  )

/** One to four sound requests in a row. */
export const pipelines = fc.array(request, { minLength: 1, maxLength: 4 }).map((all) => all.join(''))

const status = fc.constantFrom(200, 201, 204, 206, 301, 304, 404, 500, 503)
const reason = fc.constantFrom('OK', '', 'Not OK at all', 'caf\xe9')

/** Sound answers of an upstream. */
export const responses = fc
  .tuple(status, reason, fc.array(field, { maxLength: 4 }), framedBody)
  .map(([code, text, fields, body]) => {
    const bodiless = code === 204 || code === 304
    return `HTTP/1.1 ${code} ${text}\r\n${fields.join('')}${bodiless ? '' : body.fields}\r\n${bodiless ? '' : body.content}`
  })

const dictionary = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\0',
    ' ',
    '\t',
    ':',
    ';',
    ',',
    '"',
    '=',
    '-',
    '+',
    '0x',
    '0',
    '5',
    'f',
    '\xff',
    '\x0b',
    '\x7f',
  ],
  ...[
    '\r\n\r\n',
    '\n\n',
    '\r\n ',
    '\n\r\n',
    '\r\r\n',
    ': ',
    ' :',
    'ffffffffffffffff',
    '0\r\n\r\n',
    '3\r\nabc\r\n',
    '3;a=b\r\n',
  ],
  ...['Content-Length: 5\r\n', 'Content-Length: 0\r\n', 'content-length:3\r\n', 'Content-Length : 3\r\n'],
  ...[
    'Transfer-Encoding: chunked\r\n',
    'transfer-encoding:chunked\r\n',
    'Transfer-Encoding: x\r\n',
    ' chunked',
    'gzip, ',
  ],
  ...[
    'Host: other\r\n',
    'Host: h\r\n',
    'Expect: 100-continue\r\n',
    'Connection: close\r\n',
    'Connection: keep-alive\r\n',
  ],
  ...[
    'Connection: content-length\r\n',
    'Connection: x-a, x-b\r\n',
    'Upgrade: h2c\r\n',
    'Connection: upgrade\r\n',
    'TE: trailers\r\n',
  ],
  ...[
    ' HTTP/1.0',
    ' HTTP/1.1',
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 204 No Content\r\n\r\n',
  ],
  ...[
    'GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n',
    'HEAD ',
    'POST ',
    'CONNECT ',
    'OPTIONS * ',
    '/../',
    '%2e',
    '//',
    '#',
    '\\',
  ],
]

type Edit = (text: string) => string
const at = (place: number, text: string) => place % (text.length + 1)

const edit: Arbitrary<Edit> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.nat(), fc.constantFrom(...dictionary)).map(
      ([place, word]): Edit =>
        (text) =>
          text.substring(0, at(place, text)) + word + text.substring(at(place, text)),
    ),
  },
  {
    weight: 3,
    // At a line: where most words of the dictionary have a meaning.
    arbitrary: fc.tuple(fc.nat(), fc.constantFrom(...dictionary)).map(
      ([line, word]): Edit =>
        (text) => {
          const lines = text.split('\r\n')
          lines[line % lines.length] = word + lines[line % lines.length]
          return lines.join('\r\n')
        },
    ),
  },
  fc.tuple(fc.nat(), fc.integer({ min: 1, max: 12 })).map(
    ([place, length]): Edit =>
      (text) =>
        text.substring(0, at(place, text)) + text.substring(at(place, text) + length),
  ),
  fc.tuple(fc.nat(), fc.nat(255)).map(
    ([place, byte]): Edit =>
      (text) =>
        text.substring(0, at(place, text)) + String.fromCharCode(byte) + text.substring(at(place, text) + 1),
  ),
  fc.tuple(fc.nat(), fc.nat(40)).map(
    ([place, length]): Edit =>
      (text) => {
        const from = at(place, text)
        return text.substring(0, from + length) + text.substring(from)
      },
  ),
  fc.nat().map(
    (place): Edit =>
      (text) =>
        text.substring(0, at(place, text)),
  ),
  fc.nat().map(
    (count): Edit =>
      (text) => {
        let left = count % (text.split('\r\n').length + 1)
        return text.replaceAll('\r\n', (end) => (left-- === 0 ? '\n' : end))
      },
  ),
)

/** Streams made from these and from one another by up to four edits. */
export const mutated = (
  corpus: readonly string[],
  generated: Arbitrary<string> = pipelines,
): Arbitrary<string> =>
  fc
    .tuple(
      fc.array(fc.oneof(fc.constantFrom(...corpus), generated), { minLength: 1, maxLength: 2 }),
      fc.array(edit, { minLength: 1, maxLength: 4 }),
    )
    .map(([parts, edits]) => edits.reduce((text, change) => change(text), parts.join('')))
