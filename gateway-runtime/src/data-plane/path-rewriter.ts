import type { TemplatePart } from '../config/path-template.ts'
import { compilePattern } from '../config/route-pattern.ts'
import type { CompiledRoute } from '../config/snapshot.ts'
import { hasDotSegment, normalizeTarget } from './request-path.ts'

/** Makes paths by a template from those that a route matched. */
export class PathRewriter {
  readonly #template: readonly TemplatePart[]
  readonly #patterns: readonly RegExp[]

  constructor(template: readonly TemplatePart[], { paths }: Pick<CompiledRoute, 'paths'>) {
    this.#template = template
    // The router's order: of several that match, it goes by the longest.
    this.#patterns = paths
      .flatMap((path) => (path.kind === 'regex' ? path.source : []))
      .sort((a, b) => b.length - a.length)
      .map(compilePattern)
  }

  /**
   * `path` in its normal form; so is the result. Undefined where what was put together makes no path, or one with
   * steps (`..`) that would lead out of where the template says.
   */
  rewrite(path: string, matchedLength: number): string | undefined {
    const match = this.#match(path, matchedLength)
    let text = ''
    for (const part of this.#template) {
      if (part.kind === 'text') text += part.text
      else if (part.kind === 'rest') text += path.substring(matchedLength)
      else text += match?.groups?.[part.group] ?? match?.[Number(part.group)] ?? ''
    }
    if (hasDotSegment(text)) return undefined
    const result = normalizeTarget(text)
    return 'problem' in result || result.query !== '' ? undefined : result.path
  }

  /** Of several expressions of a route, that which the router went by. */
  #match(path: string, matchedLength: number): RegExpExecArray | undefined {
    for (const pattern of this.#patterns) {
      const match = pattern.exec(path)
      if (match?.[0].length === matchedLength) return match
    }
    return undefined
  }
}
