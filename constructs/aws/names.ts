import { createHash } from 'node:crypto'

/**
 * A name within a limit of AWS, the same at every synthesis: the parts joined with "-"; one that is too long is cut,
 * and told from its like by six digits of its hash.
 * @param limit most characters: 32 for load balancers and target groups, 40 for ElastiCache, 64 for IAM
 */
export function awsName(limit: number, ...parts: string[]): string {
  const name = parts
    .join('-')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  if (name.length <= limit) return name
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 6)
  return `${name.slice(0, limit - 7).replace(/-+$/, '')}-${digest}`
}

/** Whether a text can begin the names of an environment's resources. */
export const isBaseName = (text: string) => /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(text) && text.length <= 40

export const baseNameRule = 'expected 1 to 40 lower-case letters, digits and single "-", a letter first'
