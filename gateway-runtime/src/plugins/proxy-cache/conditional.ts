import type { AnswerReply, PluginRequest } from '../contract.ts'

/** What a client has asked, before the gateway set conditions of its own. */
export type Asked = Pick<PluginRequest, 'method' | 'header'>

/** What a client gets of an answer that is there: all, a part, or that it has it already (RFC 9110 sections 13 and 14). */
export function conditioned(request: Asked, answer: AnswerReply): AnswerReply {
  if (answer.status !== 200) return answer
  if (isUnchanged(request, answer))
    return { status: 304, headers: answer.headers.filter(([name]) => !/^content-/.test(name)), body: noBody }
  return inRange(request, answer)
}

const noBody = Buffer.alloc(0)
const headerOf = ({ headers }: AnswerReply, name: string) => headers.find(([known]) => known === name)?.[1]

/** If-None-Match counts before If-Modified-Since; tags are compared weakly (section 13.1.2). */
function isUnchanged(request: Asked, answer: AnswerReply): boolean {
  const tags = request.header('if-none-match')
  if (tags !== undefined) {
    const tag = headerOf(answer, 'etag')
    const opaque = (text: string) => text.trim().replace(/^W\//, '')
    return (
      tags.trim() === '*' || (tag !== undefined && tags.split(',').some((one) => opaque(one) === opaque(tag)))
    )
  }
  const since = request.header('if-modified-since')
  return since !== undefined && Date.parse(headerOf(answer, 'last-modified') ?? '') <= Date.parse(since)
}

/** One range of bytes; anything else is answered with the whole (section 14.2). */
function inRange(request: Asked, answer: AnswerReply): AnswerReply {
  const range = request.header('range')
  if (range === undefined || request.method !== 'GET') return answer
  const match = /^bytes=(\d*)-(\d*)$/.exec(range)
  if (!match || !isSame(request.header('if-range'), answer)) return answer
  const { body } = answer
  const [, from = '', to = ''] = match
  if (from === '' && to === '') return answer
  const start = from === '' ? Math.max(body.length - Number(to), 0) : Number(from)
  const end = from === '' || to === '' ? body.length : Math.min(Number(to) + 1, body.length)
  if (from !== '' && to !== '' && Number(to) < Number(from)) return answer
  const size = `/${body.length}`
  if (start >= body.length || (from === '' && Number(to) === 0))
    return { status: 416, headers: [['content-range', `bytes */${body.length}`]], body: noBody }
  const headers = [...answer.headers, ['content-range', `bytes ${start}-${end - 1}${size}`] as const]
  return { status: 206, headers, body: body.subarray(start, end) }
}

/** If-Range: a strong tag, or the very date (section 13.1.5). */
function isSame(condition: string | undefined, answer: AnswerReply): boolean {
  if (condition === undefined) return true
  const known = condition.startsWith('"') ? headerOf(answer, 'etag') : headerOf(answer, 'last-modified')
  return known === condition
}
