import type { ByteSet } from './byte-set.ts'
import type { Pattern } from './pattern.ts'

/** Texts in lower case of which each match of a pattern has at least one, in whatever case. */
export type Factors = readonly string[]

/** How many texts a pattern may stand for, so as to be written out. */
const mostTexts = 32
const mostFactors = 3_000
const longestFactor = 24
/** How many of the requirements of a pattern are kept: the rarest. */
const mostRequirements = 3
/** Requirements that nearly every text meets tell nothing: those of which a text is likely to have so many factors. */
const mostFrequent = 1
/** Characters of an ordinary text. */
const ordinaryLength = 20

interface Facts {
  /** All that the pattern matches, in lower case; undefined where it is much or endless. */
  readonly texts: readonly string[] | undefined
  /** What each match has in it: one of each of these. */
  readonly requirements: readonly Factors[]
}

const nothing: Facts = { texts: undefined, requirements: [] }
const empty: Facts = { texts: [''], requirements: [] }

/**
 * What stands in each text that a pattern matches: at least one of the factors of each requirement. None where nothing
 * is known to.
 */
export function requirementsOf(pattern: Pattern): readonly Factors[] {
  const rated = allRequirements(factsOf(pattern)).map((factors) => ({
    factors,
    frequency: frequencyOf(factors),
  }))
  return rated
    .filter(({ frequency }) => frequency < mostFrequent)
    .sort((a, b) => a.frequency - b.frequency)
    .slice(0, mostRequirements)
    .map(({ factors }) => factors)
}

function factsOf(pattern: Pattern): Facts {
  switch (pattern.type) {
    case 'bytes':
      return factsOfBytes(pattern.set)
    case 'assertion':
      return empty
    case 'capture':
      return factsOf(pattern.item)
    case 'sequence':
      return factsOfSequence(pattern.items.map(factsOf))
    case 'alternatives':
      return factsOfAlternatives(pattern.items.map(factsOf))
    case 'repeat':
      return factsOfRepeat(factsOf(pattern.item), pattern.min, pattern.max)
  }
}

function factsOfBytes(set: ByteSet): Facts {
  const texts = new Set<string>()
  for (let byte = 0; byte < 256; byte++) {
    if (set[byte]) texts.add(String.fromCharCode(byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte))
    if (texts.size > mostTexts) return nothing
  }
  return { texts: [...texts], requirements: [] }
}

function factsOfSequence(items: readonly Facts[]): Facts {
  const requirements: Factors[] = []
  let run: readonly string[] = ['']
  let isWhole = true
  const endRun = () => {
    requirements.push(...requirementOfTexts(run))
    isWhole = false
  }
  for (const item of items) {
    const joined = item.texts && product(run, item.texts)
    if (joined) {
      run = joined
      continue
    }
    endRun()
    requirements.push(...item.requirements)
    run = item.texts ?? ['']
  }
  if (isWhole) return { texts: run, requirements: [] }
  endRun()
  return { texts: undefined, requirements }
}

function product(left: readonly string[], right: readonly string[]): readonly string[] | undefined {
  if (left.length * right.length > mostTexts) return undefined
  const texts = new Set(left.flatMap((start) => right.map((end) => start + end)))
  return [...texts].every(({ length }) => length <= longestFactor) ? [...texts] : undefined
}

function factsOfAlternatives(items: readonly Facts[]): Facts {
  if (items.every(({ texts }) => texts)) {
    const texts = [...new Set(items.flatMap((item) => item.texts!))]
    return texts.length <= mostTexts
      ? { texts, requirements: [] }
      : { texts: undefined, requirements: requirementOfTexts(texts) }
  }
  const best = items.map((item) => rarest(allRequirements(item)))
  const factors = [...new Set(best.flatMap((one) => one ?? []))]
  const isKnown = best.every((one) => one !== undefined) && factors.length <= mostFactors
  return { texts: undefined, requirements: isKnown ? [factors] : [] }
}

function factsOfRepeat(item: Facts, min: number, max: number): Facts {
  if (max === 0) return empty
  if (min === 0)
    return max === 1 && item.texts ? { texts: [...new Set(['', ...item.texts])], requirements: [] } : nothing
  if (min === 1 && max === 1) return item
  return { texts: undefined, requirements: allRequirements(item) }
}

const allRequirements = ({ texts, requirements }: Facts): readonly Factors[] =>
  texts ? requirementOfTexts(texts) : requirements

/** Of no use where one of them is empty. */
function requirementOfTexts(texts: readonly string[]): Factors[] {
  if (texts.length === 0 || texts.includes('') || texts.length > mostFactors) return []
  return [texts]
}

const rarest = (requirements: readonly Factors[]): Factors | undefined =>
  requirements.length < 2
    ? requirements[0]
    : requirements.reduce((best, one) => (frequencyOf(one) < frequencyOf(best) ? one : best))

/** About how many of the factors stand in an ordinary text. */
const frequencyOf = (factors: Factors): number =>
  factors.reduce((sum, factor) => sum + ordinaryLength * frequencyOfText(factor), 0)

function frequencyOfText(factor: string): number {
  let frequency = 1
  for (const character of factor) frequency *= commonness(character)
  return frequency
}

function commonness(character: string): number {
  if (character >= 'a' && character <= 'z') return 0.05
  if (character === ' ') return 0.12
  if (character >= '0' && character <= '9') return 0.04
  return '-./_:,=&"'.includes(character) ? 0.02 : 0.003
}
