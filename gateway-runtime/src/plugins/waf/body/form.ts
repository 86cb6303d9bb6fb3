import { urlDecode } from '../transformations/url-decode.ts'
import { BodyProblem, type Field } from './parsed-body.ts'

/** Reads `a=1&b=2`, as a query or a body has it. Throws BodyProblem where there are more fields than `limit`. */
export function parseForm(text: string, limit: number): Field[] {
  const fields: Field[] = []
  if (text === '') return fields
  for (let start = 0; start <= text.length; ) {
    const next = text.indexOf('&', start)
    const end = next < 0 ? text.length : next
    const pair = text.slice(start, end)
    const equals = pair.indexOf('=')
    if (fields.length >= limit) throw new BodyProblem(`more than ${limit} arguments`)
    const name = urlDecode(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : urlDecode(pair.slice(equals + 1))
    if (pair !== '') fields.push({ name, value })
    start = end + 1
  }
  return fields
}
