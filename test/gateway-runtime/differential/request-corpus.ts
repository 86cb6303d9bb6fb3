/** A stream of a client, and what the gateway must make of it. */
export interface RequestCase {
  readonly name: string
  readonly stream: string
  /** Status of each answer, in order; the last one closes the connection where it is 400 or above. */
  readonly statuses: readonly number[]
  /** Whether it is sound by the grammar, and refused for another reason. */
  readonly denied: boolean
}

const lines = (...all: string[]) => `${all.join('\r\n')}\r\n\r\n`
const get = (path: string, ...fields: string[]) => lines(`GET ${path} HTTP/1.1`, 'Host: h', ...fields)
const post = (body: string, ...fields: string[]) => lines('POST /p HTTP/1.1', 'Host: h', ...fields) + body
const chunked = (body: string, ...fields: string[]) => post(body, ...fields, 'Transfer-Encoding: chunked')
/** What an attacker wants to be taken for a request of its own. */
const smuggled = get('/smuggled')

const passes = (name: string, stream: string, count = 1): RequestCase => ({
  name,
  stream,
  statuses: Array.from({ length: count }, () => 200),
  denied: false,
})
const refused = (name: string, stream: string, status = 400): RequestCase => ({
  name,
  stream,
  statuses: [status],
  denied: false,
})
const denied = (name: string, stream: string, status = 400): RequestCase => ({
  ...refused(name, stream, status),
  denied: true,
})
/** The first request is sound, what follows is not. */
const refusedSecond = (name: string, stream: string, status = 400): RequestCase => ({
  name,
  stream,
  statuses: [200, status],
  denied: false,
})

const sound: RequestCase[] = [
  passes('a request', get('/a')),
  passes('an empty line before the request (RFC 9112 section 2.2)', `\r\n${get('/a')}`),
  passes('a pipeline', get('/a') + get('/b') + get('/c'), 3),
  passes(
    'a pipeline longer than one read',
    get('/a') + post('x'.repeat(200_000), 'Content-Length: 200000') + get('/b').repeat(20),
    22,
  ),
  passes(
    'a pipeline of every framing',
    get('/a') + post('abc', 'Content-Length: 3') + chunked('3\r\nabc\r\n0\r\n\r\n') + get('/b'),
    4,
  ),
  passes('GET with a body', `${get('/a', 'Content-Length: 3')}abc${get('/b')}`, 2),
  passes(
    'HEAD with a body that looks like a request',
    `${lines('HEAD /a HTTP/1.1', 'Host: h', `Content-Length: ${smuggled.length}`)}${smuggled}${get('/b')}`,
    2,
  ),
  passes('a body that looks like a request', post(smuggled, `Content-Length: ${smuggled.length}`)),
  passes(
    'chunks that look like a request',
    chunked(`${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`),
  ),
  passes('a body that looks like chunks', post('0\r\n\r\n', 'Content-Length: 5') + get('/b'), 2),
  passes('Content-Length: 0', post('', 'Content-Length: 0') + get('/b'), 2),
  passes('POST without a length', post('') + get('/b'), 2),
  passes('chunked in capitals', post('0\r\n\r\n', 'TRANSFER-ENCODING: Chunked') + get('/b'), 2),
  passes(
    'a chunk size in both cases, with zeros before it',
    chunked(`00A\r\n0123456789\r\n00a\r\n0123456789\r\n000\r\n\r\n${get('/b')}`),
    2,
  ),
  passes('a chunk extension', chunked(`3;name=value\r\nabc\r\n0;last\r\n\r\n${get('/b')}`), 2),
  passes('a quoted chunk extension', chunked(`3;name="a;b"\r\nabc\r\n0\r\n\r\n${get('/b')}`), 2),
  passes('trailers', chunked(`3\r\nabc\r\n0\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n${get('/b')}`), 2),
  passes(
    'Expect with a body that is there already',
    post('abc', 'Content-Length: 3', 'Expect: 100-continue') + get('/b'),
    2,
  ),
  passes('Expect without a body', get('/a', 'Expect: 100-continue') + get('/b'), 2),
  passes('Expect in capitals', post('abc', 'Content-Length: 3', 'Expect: 100-CONTINUE')),
  passes('absolute form', lines('GET http://h/a?b HTTP/1.1', 'Host: h')),
  passes('absolute form with a host in capitals', lines('GET http://H/a HTTP/1.1', 'Host: h')),
  passes('OPTIONS *', lines('OPTIONS * HTTP/1.1', 'Host: h')),
  passes('QUERY with a body', `${lines('QUERY /q HTTP/1.1', 'Host: h', 'Content-Length: 3')}abc`),
  passes('white space around a value', get('/a', 'X-Space: \t value \t ')),
  passes('an empty value', get('/a', 'X-Empty:')),
  passes('obs-text in a value (RFC 9110 section 5.5)', get('/a', 'X-Text: caf\xe9\xff')),
  passes('the same field twice', get('/a', 'X-Twice: 1', 'X-Twice: 2')),
  passes('what follows Connection: close', get('/a', 'Connection: close') + smuggled),
  passes(
    'HTTP/1.0 that is kept',
    lines('GET /a HTTP/1.0', 'Host: h', 'Connection: keep-alive') + get('/b'),
    2,
  ),
  passes('HTTP/1.0 that is not kept', lines('GET /a HTTP/1.0', 'Host: h') + smuggled),
  passes(
    'names that alias ours',
    get('/a', 'X_Forwarded_For: 1.2.3.4', 'Content_Length: 5', 'Transfer_Encoding: chunked', 'X.Dot: 1'),
  ),
  passes('__proto__ as a name', get('/a', '__proto__: 1', 'constructor: 2')),
  passes('fields that Connection names', get('/a', 'Connection: X-Hop', 'X-Hop: 1', 'X-Stays: 1')),
  passes(
    'an offer to upgrade with nothing to tunnel',
    get('/a', 'Connection: upgrade', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk') + get('/b'),
    2,
  ),
]

const twoFramings: RequestCase[] = [
  refused('CL.TE', post(`0\r\n\r\n${smuggled}`, 'Content-Length: 5', 'Transfer-Encoding: chunked')),
  refused('TE.CL', post(`1\r\na\r\n0\r\n\r\n${smuggled}`, 'Transfer-Encoding: chunked', 'Content-Length: 3')),
  refused(
    'CL.TE with a length of 0',
    post(`0\r\n\r\n${smuggled}`, 'Content-Length: 0', 'Transfer-Encoding: chunked'),
  ),
  refused(
    'TE.TE: chunked twice',
    post(`0\r\n\r\n${smuggled}`, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
  ),
  refused(
    'TE.TE: chunked and nonsense',
    post(`0\r\n\r\n${smuggled}`, 'Transfer-Encoding: chunked', 'Transfer-Encoding: x'),
  ),
  refused(
    'TE.TE: identity before chunked',
    post(`0\r\n\r\n${smuggled}`, 'Transfer-Encoding: identity', 'Transfer-Encoding: chunked'),
    501,
  ),
  refused('CL.CL: two lengths', post(`abc${smuggled}`, 'Content-Length: 3', 'Content-Length: 0')),
  refused('CL.CL: the same twice', post('abc', 'Content-Length: 3', 'Content-Length: 3')),
  refused('CL.CL: a list', post('abc', 'Content-Length: 3, 3')),
  refused(
    'TE in HTTP/1.0',
    lines('POST /p HTTP/1.0', 'Host: h', 'Connection: keep-alive', 'Transfer-Encoding: chunked') +
      `0\r\n\r\n${smuggled}`,
  ),
  passes(
    '0.CL: a length that an upstream might pass over',
    `${get('/a', `Content-Length: ${smuggled.length}`)}${smuggled}`,
  ),
  refused('0.CL: a length behind a space', post(smuggled, `Content-Length : ${smuggled.length}`)),
  refused(
    '0.CL: a length in a folded line',
    get('/a', 'X-Fold: a', ` Content-Length: ${smuggled.length}`) + smuggled,
  ),
]

const lengths: RequestCase[] = [
  ['a sign', '+3'],
  ['a minus sign', '-3'],
  ['hexadecimal', '0x3'],
  ['an exponent', '3e0'],
  ['a fraction', '3.0'],
  ['two numbers', '3 3'],
  ['a separator', '3_0'],
  ['nothing', ''],
  ['quotes', '"3"'],
  ['more than any number holds', '99999999999999999999999'],
  ['a vertical tab before it', '\x0b3'],
  ['a no-break space', '\xa03'],
].map(([name, value]) =>
  refused(`Content-Length: ${name}`, post(`abc${smuggled}`, `Content-Length: ${value}`)),
)

const deniedLength = denied('Content-Length: a zero before it', post('abc', 'Content-Length: 03'))

const codings: RequestCase[] = [
  ...['gzip, chunked', 'identity, chunked', 'identity', 'xchunked', 'chunkedx', 'chunked;q=1', '"chunked"'],
  ...["'chunked'", '', ', chunked', 'chunked chunked'],
].map((value) =>
  refused(
    `Transfer-Encoding: ${JSON.stringify(value)}`,
    post(`0\r\n\r\n${smuggled}`, `Transfer-Encoding: ${value}`),
    501,
  ),
)

const brokenCodings: RequestCase[] = [
  ...['chunked, gzip', 'chunked, identity', 'chunked,', '\x0bchunked', '\x00chunked', 'chunked\x0b'],
].map((value) =>
  refused(
    `Transfer-Encoding: ${JSON.stringify(value)}`,
    post(`0\r\n\r\n${smuggled}`, `Transfer-Encoding: ${value}`),
  ),
)

const heads: RequestCase[] = [
  refused('a space before the colon', post(`0\r\n\r\n${smuggled}`, 'Transfer-Encoding : chunked')),
  refused('a tab before the colon', post(`0\r\n\r\n${smuggled}`, 'Transfer-Encoding\t: chunked')),
  refused('a space before the name', lines('GET /a HTTP/1.1', ' Host: h')),
  refused('obs-fold', get('/a', 'X-Fold: a', ' b')),
  refused('obs-fold with a tab', get('/a', 'X-Fold: a', '\tb')),
  refused('Transfer-Encoding over two lines', post(`0\r\n\r\n${smuggled}`, 'Transfer-Encoding:', ' chunked')),
  refused('a bare LF behind a field', 'GET /a HTTP/1.1\r\nHost: h\nX: 1\r\n\r\n'),
  refused('a bare LF behind the request line', 'GET /a HTTP/1.1\nHost: h\r\n\r\n'),
  refused('bare LFs everywhere', 'GET /a HTTP/1.1\nHost: h\n\n'),
  refused('a bare LF as the empty line', 'GET /a HTTP/1.1\r\nHost: h\r\n\n'),
  refused('a bare CR in a value', get('/a', 'X-CR: a\rb')),
  refused(
    'a bare CR that hides a field',
    post(`0\r\n\r\n${smuggled}`, 'X-CR: a\rTransfer-Encoding: chunked'),
  ),
  refused('CR CR LF', 'GET /a HTTP/1.1\r\nHost: h\r\r\n\r\n'),
  refused('NUL in a value', get('/a', 'X-NUL: a\0b')),
  refused('NUL in a name', get('/a', 'X-\0: a')),
  refused('a control character in a value', get('/a', 'X-Control: a\x01b')),
  refused('DEL in a value', get('/a', 'X-Delete: a\x7fb')),
  refused('a name in UTF-8', get('/a', 'X-Caf\xc3\xa9: a')),
  refused('no name', get('/a', ': a')),
  refused('no colon', get('/a', 'X-No-Colon')),
  refused('a name in parentheses', get('/a', 'X(1): a')),
  refused('no Host', lines('GET /a HTTP/1.1', 'X: 1')),
  refused('no Host, but absolute form', lines('GET http://h/a HTTP/1.1', 'X: 1')),
  refused('two Hosts', get('/a', 'Host: h')),
  refused('two Hosts in different cases', get('/a', 'hOST: other')),
  denied('an empty Host', lines('GET /a HTTP/1.1', 'Host:')),
  denied('a list of Hosts', lines('GET /a HTTP/1.1', 'Host: a, b')),
  denied('Host with a path', lines('GET /a HTTP/1.1', 'Host: h/x')),
  denied('Host with user information', lines('GET /a HTTP/1.1', 'Host: u@h')),
  denied('Host with a space', lines('GET /a HTTP/1.1', 'Host: h x')),
  denied('Connection that names Host', get('/a', 'Connection: host')),
  denied(
    'Connection that names Content-Length',
    post('abc', 'Content-Length: 3', 'Connection: content-length'),
  ),
  denied(
    'Connection that names Transfer-Encoding',
    chunked('0\r\n\r\n', 'Connection: keep-alive, Transfer-Encoding'),
  ),
  denied('Connection that names X-Forwarded-For', get('/a', 'Connection: close, X-Forwarded-For')),
  denied('two Authorizations', get('/a', 'Authorization: a', 'Authorization: b')),
  denied('two Content-Types', get('/a', 'Content-Type: a/a', 'Content-Type: b/b')),
  denied(
    'an expectation that is none of the standard',
    post('abc', 'Content-Length: 3', 'Expect: 100-continue-please'),
    417,
  ),
  denied(
    'an expectation with another before it',
    post('abc', 'Content-Length: 3', 'Expect: y 100-continue'),
    417,
  ),
  denied(
    'a list of expectations',
    post('abc', 'Content-Length: 3', 'Expect: 100-continue, 100-continue'),
    417,
  ),
  denied('no expectation', post('abc', 'Content-Length: 3', 'Expect:'), 417),
]

const brokenLines: RequestCase[] = [
  ['HTTP/0.9', 'GET /a', 400],
  ['HTTP/0.9 with its version', 'GET /a HTTP/0.9', 505],
  ['HTTP/1.2', 'GET /a HTTP/1.2', 505],
  ['HTTP/2.0', 'GET /a HTTP/2.0', 505],
  ['HTTP/1.10', 'GET /a HTTP/1.10', 400],
  ['HTTP/01.1', 'GET /a HTTP/01.1', 400],
  ['a version in lower case', 'GET /a http/1.1', 400],
  ['another protocol', 'GET /a ICY/1.1', 400],
  ['a space behind the version', 'GET /a HTTP/1.1 ', 400],
  ['a space in the target', 'GET /a b HTTP/1.1', 400],
  ['two spaces', 'GET  /a HTTP/1.1', 400],
  ['a tab in place of a space', 'GET\t/a\tHTTP/1.1', 400],
  ['a space before the method', ' GET /a HTTP/1.1', 400],
  ['a CR before the method', '\rGET /a HTTP/1.1', 400],
  ['an LF before the method', '\nGET /a HTTP/1.1', 400],
  ['no target', 'GET  HTTP/1.1', 400],
  ['a NUL', 'GET /a\0 HTTP/1.1', 400],
  ['UTF-8 in the target', 'GET /caf\xc3\xa9 HTTP/1.1', 400],
].map(([name, line, status]) =>
  refused(`request line: ${name}`, lines(line as string, 'Host: h'), status as number),
)

const deniedLines: RequestCase[] = [
  ['a method in lower case', 'get /a HTTP/1.1', 400],
  ['an unknown method', 'BREW /a HTTP/1.1', 400],
  ['a target without a slash', 'GET a HTTP/1.1', 400],
  ['another scheme', 'GET ftp://h/a HTTP/1.1', 400],
  ['absolute form with another host', 'GET http://other/a HTTP/1.1', 400],
  ['absolute form with user information', 'GET http://u@h/a HTTP/1.1', 400],
  ['absolute form with another port', 'GET http://h:81/a HTTP/1.1', 400],
  ['GET *', 'GET * HTTP/1.1', 400],
  ['a fragment', 'GET /a#b HTTP/1.1', 400],
  ['a backslash', 'GET /a\\..\\b HTTP/1.1', 400],
  ['a step above the root', 'GET /../a HTTP/1.1', 400],
  ['an encoded NUL', 'GET /a%00 HTTP/1.1', 400],
  ['an encoded slash', 'GET /a%2fb HTTP/1.1', 400],
  ['CONNECT', 'CONNECT h:443 HTTP/1.1', 405],
  ['TRACE', 'TRACE /a HTTP/1.1', 405],
].map(([name, line, status]) =>
  denied(`request line: ${name}`, lines(line as string, 'Host: h'), status as number),
)

const chunks: RequestCase[] = [
  ['a size with a prefix', '0x3\r\nabc\r\n0\r\n\r\n'],
  ['a size with a sign', '+3\r\nabc\r\n0\r\n\r\n'],
  ['a size with a minus sign', '-3\r\nabc\r\n0\r\n\r\n'],
  ['no size', '\r\nabc\r\n0\r\n\r\n'],
  ['a size with a space before it', ' 3\r\nabc\r\n0\r\n\r\n'],
  ['a size with a separator', '3_0\r\nabc\r\n0\r\n\r\n'],
  ['a size that wraps round to 3', '10000000000000003\r\nabc\r\n0\r\n\r\n'],
  ['a size past any number', 'ffffffffffffffffff\r\nabc\r\n0\r\n\r\n'],
  ['a bare LF behind the size', '3\nabc\r\n0\r\n\r\n'],
  ['a bare CR behind the size', '3\rabc\r\n0\r\n\r\n'],
  ['a bare LF behind the data', '3\r\nabc\n0\r\n\r\n'],
  ['data longer than its size', '3\r\nabcd\r\n0\r\n\r\n'],
  ['data without its end', '3\r\nabc0\r\n\r\n'],
  ['other bytes for its end', '3\r\nabcXX0\r\n\r\n'],
  ['a bare LF in an extension (TERM.EXT)', `3;a\nxx\r\nabc\r\n0\r\n\r\n`],
  ['a bare CR in an extension', '3;a\rxx\r\nabc\r\n0\r\n\r\n'],
  ['a bare LF behind an extension (EXT.TERM)', '3;a=b\nabc\r\n0\r\n\r\n'],
  ['an LF in a quoted extension', '3;a="\n"\r\nabc\r\n0\r\n\r\n'],
  ['a NUL in an extension', '3;a\0b\r\nabc\r\n0\r\n\r\n'],
  ['an extension without its semicolon', '3 a\r\nabc\r\n0\r\n\r\n'],
  ['bare LFs at the end', '3\r\nabc\r\n0\n\n'],
  ['a bare LF as the last line', '3\r\nabc\r\n0\r\n\n'],
  ['a trailer that frames', '0\r\nContent-Length: 5\r\n\r\n'],
  ['a trailer that frames, too', '0\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['a trailer that closes the connection', '0\r\nConnection: close\r\n\r\n'],
  ['a trailer that frames, oddly', '0\r\nTransfer-Encoding: x\r\n\r\n'],
  ['a trailer with a space before the colon', '0\r\nX-Trailer : 1\r\n\r\n'],
  ['a folded trailer', '0\r\nX-Trailer: 1\r\n 2\r\n\r\n'],
  ['a trailer without a colon', '0\r\nGET /smuggled HTTP/1.1\r\n\r\n'],
].map(([name, body]) => refused(`chunks: ${name}`, chunked(`${body}${smuggled}`)))

const deniedChunks: RequestCase[] = [
  denied('chunks: extensions that outweigh the body', chunked(`3;${'e'.repeat(20_000)}\r\nabc\r\n0\r\n\r\n`)),
  denied('chunks: trailers past the limit', chunked(`0\r\n${'X-Trailer: 1\r\n'.repeat(2_000)}\r\n`), 431),
]

const behind: RequestCase[] = [
  refusedSecond('bytes behind a body', `${post('abc@', 'Content-Length: 3')}${smuggled}`),
  refusedSecond('a line behind a request', `${get('/a')}nonsense\r\n\r\n`),
  refusedSecond('an LF between requests', `${get('/a')}\n${get('/b')}`),
  refusedSecond('a body that was not announced', `${get('/a')}0\r\n\r\n${smuggled}`),
  refusedSecond(
    'CL.TE in the second of two',
    get('/a') + post(`0\r\n\r\n${smuggled}`, 'Content-Length: 5', 'Transfer-Encoding: chunked'),
  ),
]

/** Streams written from the RFCs and from what was published on request smuggling. */
export const requestCorpus: readonly RequestCase[] = [
  ...sound,
  ...twoFramings,
  ...lengths,
  deniedLength,
  ...codings,
  ...brokenCodings,
  ...heads,
  ...brokenLines,
  ...deniedLines,
  ...chunks,
  ...deniedChunks,
  ...behind,
]
