import type { Entity } from './entities.ts'
import { RequestRefused } from './problem.ts'

/** What is asked for of a list: `?size=&offset=&tags=`. */
export type ListQuery = Readonly<Record<string, string | undefined>>

/** A page of a list; `offset`, where there are more, is what the next one begins with. */
export interface Page {
  readonly data: readonly Entity[]
  readonly next: string | null
  readonly offset?: string
}

const usualSize = 100
const largestSize = 1_000

interface Listed {
  readonly id: string
  readonly tags: readonly string[]
}

/**
 * A page of a list that is in the order of ids. As a page begins behind the last id of the one before, changes in
 * between make none appear twice or be left out.
 * @param path - of the list, for `next`
 * @throws RequestRefused for a wrong size, offset or filter
 */
export function page<Item extends Listed>(
  items: readonly Item[],
  path: string,
  query: ListQuery,
  show: (item: Item) => Entity,
): Page {
  const size = sizeOf(query.size)
  const after = query.offset === undefined ? '' : decodeOffset(query.offset)
  const matches = tagFilter(query.tags)
  const rest = items.filter((item) => item.id > after && matches(item.tags))
  const data = rest.slice(0, size)
  const last = data.at(-1)
  if (!last || rest.length <= size) return { data: data.map(show), next: null }
  const offset = Buffer.from(last.id).toString('base64url')
  const parameters = new URLSearchParams({ offset })
  if (query.size !== undefined) parameters.set('size', String(size))
  if (query.tags !== undefined) parameters.set('tags', query.tags)
  return { data: data.map(show), next: `${path}?${parameters}`, offset }
}

function sizeOf(text: string | undefined): number {
  if (text === undefined) return usualSize
  const size = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (size >= 1 && size <= largestSize) return size
  throw new RequestRefused(400, 'invalid-size', `size must be a whole number from 1 to ${largestSize}`)
}

function decodeOffset(text: string): string {
  const id = Buffer.from(text, 'base64url').toString()
  if (/^[0-9a-f-]{36}$/.test(id)) return id
  throw new RequestRefused(400, 'invalid-offset', 'offset is not one that a page has given')
}

/** `a,b`: both; `a/b`: one of them. */
function tagFilter(text: string | undefined): (tags: readonly string[]) => boolean {
  if (text === undefined || text === '') return () => true
  if (text.includes(',') && text.includes('/')) {
    throw new RequestRefused(
      400,
      'invalid-tags',
      'tags are separated by commas (all of them) or slashes (any)',
    )
  }
  const wanted = text.split(/[,/]/)
  return text.includes('/')
    ? (tags) => wanted.some((tag) => tags.includes(tag))
    : (tags) => wanted.every((tag) => tags.includes(tag))
}
