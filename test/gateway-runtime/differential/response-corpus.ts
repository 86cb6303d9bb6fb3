/** What an upstream says, and what the gateway must make of it. */
export interface ResponseCase {
  readonly name: string
  /** What was asked; GET. */
  readonly method?: 'HEAD'
  readonly stream: string
  /** Of the answer that the client gets; undefined where the connection is cut within it. */
  readonly status: number | undefined
}

const lines = (...all: string[]) => `${all.join('\r\n')}\r\n\r\n`
const ok = (body: string, ...fields: string[]) => lines('HTTP/1.1 200 OK', ...fields) + body
const chunked = (body: string) => ok(body, 'Transfer-Encoding: chunked')
/** What a poisoned queue would give to the next request. */
const poison = ok('poison', 'Content-Length: 6')

const passes = (name: string, stream: string, status = 200): ResponseCase => ({ name, stream, status })
const bad = (name: string, stream: string): ResponseCase => ({ name, stream, status: 502 })
const cutOff = (name: string, stream: string): ResponseCase => ({ name, stream, status: undefined })

const sound: ResponseCase[] = [
  passes('a length', ok('abc', 'Content-Length: 3')),
  passes('chunks', chunked('3\r\nabc\r\n0\r\n\r\n')),
  passes('chunks with extensions and trailers', chunked('3;a="b"\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n')),
  passes('white space around chunked', ok('3\r\nabc\r\n0\r\n\r\n', 'Transfer-Encoding: \tchunked \t')),
  passes('a body up to the end of the connection', ok('abc')),
  passes('HTTP/1.0 with a body up to the end', `${lines('HTTP/1.0 200 OK')}abc`),
  passes('HTTP/1.0 that is kept', lines('HTTP/1.0 200 OK', 'Connection: keep-alive', 'Content-Length: 0')),
  passes('Connection: close', ok('abc', 'Connection: close', 'Content-Length: 3')),
  passes('204', lines('HTTP/1.1 204 No Content'), 204),
  passes(
    '304 with the length of what it stands for',
    lines('HTTP/1.1 304 Not Modified', 'Content-Length: 9'),
    304,
  ),
  passes('no reason phrase', lines('HTTP/1.1 200 ', 'Content-Length: 0')),
  passes('a long reason phrase', lines('HTTP/1.1 200 It went well, \xe9', 'Content-Length: 0')),
  passes(
    'an interim answer',
    `${lines('HTTP/1.1 103 Early Hints', 'Link: x')}${ok('abc', 'Content-Length: 3')}`,
  ),
  passes('100 that nobody waits for', `${lines('HTTP/1.1 100 Continue')}${ok('abc', 'Content-Length: 3')}`),
  passes(
    'fields of the connection',
    ok('abc', 'Connection: X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=5', 'Content-Length: 3'),
  ),
  passes('two cookies', ok('', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'Content-Length: 0')),
  { ...passes('HEAD', ok('', 'Content-Length: 1000')), method: 'HEAD' },
  { ...passes('HEAD with chunks announced', ok('', 'Transfer-Encoding: chunked')), method: 'HEAD' },
]

/** Sound, with bytes behind that answer no request: the next one must not get them. */
const withPoison: ResponseCase[] = [
  passes('an answer behind the answer', ok('abc', 'Content-Length: 3') + poison),
  passes('an answer behind chunks', chunked('0\r\n\r\n') + poison),
  passes('a body longer than its length', ok('abcdef', 'Content-Length: 3')),
  passes('a body to 204', `${lines('HTTP/1.1 204 No Content', 'Content-Length: 3')}abc${poison}`, 204),
  passes('a body to 304', `${lines('HTTP/1.1 304 Not Modified', 'Content-Length: 3')}abc${poison}`, 304),
  passes(
    'chunks to 204',
    `${lines('HTTP/1.1 204 No Content', 'Transfer-Encoding: chunked')}3\r\nabc\r\n0\r\n\r\n`,
    204,
  ),
  { ...passes('a body to HEAD', ok(`abc${poison}`, 'Content-Length: 3')), method: 'HEAD' },
  { ...passes('chunks to HEAD', chunked(`3\r\nabc\r\n0\r\n\r\n${poison}`)), method: 'HEAD' },
]

const broken: ResponseCase[] = [
  bad('nothing', ''),
  bad('no status line', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'),
  bad('an empty line first', `\r\n${ok('abc', 'Content-Length: 3')}`),
  bad('an LF first', `\n${ok('abc', 'Content-Length: 3')}`),
  bad('HTTP/2.0', lines('HTTP/2.0 200 OK', 'Content-Length: 0')),
  bad('HTTP/0.9', lines('HTTP/0.9 200 OK', 'Content-Length: 0')),
  bad('a version in lower case', lines('http/1.1 200 OK', 'Content-Length: 0')),
  bad('two digits', lines('HTTP/1.1 20 OK', 'Content-Length: 0')),
  bad('four digits', lines('HTTP/1.1 2000 OK', 'Content-Length: 0')),
  bad('status 000', lines('HTTP/1.1 000 OK', 'Content-Length: 0')),
  bad('status 099 before an answer', `${lines('HTTP/1.1 099 Odd')}${ok('abc', 'Content-Length: 3')}`),
  bad('status 600', lines('HTTP/1.1 600 OK', 'Content-Length: 0')),
  bad('status 999', lines('HTTP/1.1 999 OK', 'Content-Length: 0')),
  bad(
    '101 that nobody asked for',
    lines('HTTP/1.1 101 Switching Protocols', 'Upgrade: x', 'Connection: upgrade'),
  ),
  bad('two spaces before the status', lines('HTTP/1.1  200 OK', 'Content-Length: 0')),
  bad('a control character in the reason phrase', lines('HTTP/1.1 200 O\x01K', 'Content-Length: 0')),
  bad('no space behind the status', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n'),
  bad('CRs before the line end of the status line', 'HTTP/1.1 200 OK\r\r\r\n\n3\r\nabc\n0\r\n\r\n'),
  bad('a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'),
  bad('a bare CR in a value', ok('', 'X-CR: a\rb', 'Content-Length: 0')),
  bad('obs-fold', ok('', 'X-Fold: a', ' b', 'Content-Length: 0')),
  bad('a space before the colon', ok('abc', 'Content-Length : 3')),
  bad('NUL in a value', ok('', 'X-NUL: a\0b', 'Content-Length: 0')),
  bad('two lengths', ok('abc', 'Content-Length: 3', 'Content-Length: 6')),
  bad('the same length twice', ok('abc', 'Content-Length: 3', 'Content-Length: 3')),
  bad('a list of lengths', ok('abc', 'Content-Length: 3, 3')),
  bad('a length with a sign', ok('abc', 'Content-Length: +3')),
  bad('a length in hexadecimal', ok('abc', 'Content-Length: 0x3')),
  bad('an empty length', ok('abc', 'Content-Length:')),
  bad('length and chunks', ok('0\r\n\r\n', 'Content-Length: 5', 'Transfer-Encoding: chunked')),
  bad('chunked twice', ok('0\r\n\r\n', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')),
  bad('gzip, chunked', ok('0\r\n\r\n', 'Transfer-Encoding: gzip, chunked')),
  bad('identity', ok('abc', 'Transfer-Encoding: identity')),
  bad('xchunked', ok('abc', 'Transfer-Encoding: xchunked')),
  bad('chunks in HTTP/1.0', `${lines('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked')}0\r\n\r\n`),
  bad(
    'endless interim answers',
    lines('HTTP/1.1 103 Early Hints').repeat(20) + ok('abc', 'Content-Length: 3'),
  ),
  bad(
    'an interim answer with an odd framing',
    `${lines('HTTP/1.1 103 Early Hints', 'Transfer-Encoding: x')}${ok('abc', 'Content-Length: 3')}`,
  ),
  bad('an interim answer and no more', lines('HTTP/1.1 103 Early Hints')),
  bad('a head without its end', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n'),
  bad(
    'too many fields',
    ok('', ...Array.from({ length: 300 }, (_, index) => `X-${index}: 1`), 'Content-Length: 0'),
  ),
]

const brokenBodies: ResponseCase[] = [
  cutOff('a body shorter than its length', ok('ab', 'Content-Length: 3')),
  cutOff('chunks without the last one', chunked('3\r\nabc\r\n')),
  cutOff('chunks without the last line', chunked('3\r\nabc\r\n0\r\n')),
  bad('a chunk size with a prefix', chunked('0x3\r\nabc\r\n0\r\n\r\n')),
  bad('a chunk size with a sign', chunked('+3\r\nabc\r\n0\r\n\r\n')),
  bad('a chunk longer than its size', chunked('3\r\nabcd\r\n0\r\n\r\n')),
  bad('a bare LF behind a chunk', chunked('3\r\nabc\n0\r\n\r\n')),
  bad('a bare LF in an extension', chunked('3;a\nb\r\nabc\r\n0\r\n\r\n')),
  bad('a size past any number', chunked('ffffffffffffffffff\r\nabc\r\n0\r\n\r\n')),
  bad('a trailer that frames', chunked('3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n')),
  bad('a trailer that closes the connection', chunked('0\r\nConnection: close\r\n\r\n')),
  bad('a trailer that frames, oddly', chunked('0\r\nTransfer-Encoding: x\r\n\r\n')),
]

/** Streams of upstreams, written from the RFCs and from what was published on response splitting and desync. */
export const responseCorpus: readonly ResponseCase[] = [...sound, ...withPoison, ...broken, ...brokenBodies]
