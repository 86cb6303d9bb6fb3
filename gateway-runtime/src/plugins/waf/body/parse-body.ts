import { parseForm } from './form.ts'
import { parseJson } from './json.ts'
import { parseMultipart } from './multipart.ts'
import { type BodyLimits, BodyProblem, emptyBody, type ParsedBody } from './parsed-body.ts'
import { parseXml } from './xml.ts'

/** How a body is read; ctl:requestBodyProcessor names them so. */
export type BodyProcessor = 'URLENCODED' | 'MULTIPART' | 'JSON' | 'XML'

/** The processor for a Content-Type; undefined for types that have no structure that we know. */
export function processorFor(contentType: string): BodyProcessor | undefined {
  const semicolon = contentType.indexOf(';')
  const type = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase()
  if (type === 'application/x-www-form-urlencoded') return 'URLENCODED'
  if (type === 'multipart/form-data') return 'MULTIPART'
  if (type === 'application/json' || (type.startsWith('application/') && type.endsWith('+json')))
    return 'JSON'
  if (type === 'text/xml' || type === 'application/xml' || type.endsWith('+xml')) return 'XML'
  return undefined
}

/** Reads a body. What cannot be read is told in `problem`, never thrown. */
export function parseBody(
  text: string,
  processor: BodyProcessor | undefined,
  contentType: string,
  limits: BodyLimits,
): ParsedBody {
  try {
    switch (processor) {
      case 'URLENCODED':
        return { ...emptyBody, fields: parseForm(text, limits.arguments) }
      case 'JSON':
        return text === '' ? emptyBody : { ...emptyBody, fields: parseJson(text, limits) }
      case 'MULTIPART':
        return { ...emptyBody, ...parseMultipart(text, contentType, limits) }
      case 'XML':
        return text === '' ? emptyBody : { ...emptyBody, xml: parseXml(text, limits) }
      case undefined:
        return emptyBody
    }
  } catch (error) {
    if (error instanceof BodyProblem) return { ...emptyBody, problem: error.message }
    throw error
  }
}
