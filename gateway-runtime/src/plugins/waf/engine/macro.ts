import type { Transaction } from './transaction.ts'

/** Text with `%{NAME}` in it, such as `%{tx.anomaly_score}`. */
export interface Macro {
  /** The text itself where nothing is to be put in. */
  readonly fixed: string | undefined
  /** What it begins with, whatever is put in. */
  readonly prefix: string
  /** Names of the variables in lower case: `tx.anomaly_score`. */
  readonly variables: readonly string[]
  expand(transaction: Transaction, rule?: MacroRule): string
}

/** What %{rule.…} can name. */
export interface MacroRule {
  readonly id: number
  readonly severity: string
}

/** Reads the macros in a text. */
export function parseMacro(text: string): Macro {
  const parts = text.split(/(%\{[^{}]+\})/)
  if (parts.length === 1) return { fixed: text, prefix: text, variables: [], expand: () => text }
  const names = parts.map((part) =>
    part.startsWith('%{') && part.endsWith('}') ? part.slice(2, -1) : undefined,
  )
  return {
    fixed: undefined,
    prefix: parts[0]!,
    variables: names.filter((name) => name !== undefined).map((name) => name.toLowerCase()),
    expand: (transaction, rule) =>
      parts
        .map((part, index) => {
          const name = names[index]
          return name === undefined ? part : variableValue(name, transaction, rule)
        })
        .join(''),
  }
}

function variableValue(name: string, transaction: Transaction, rule: MacroRule | undefined): string {
  const dot = name.search(/[.:]/)
  const collection = (dot < 0 ? name : name.slice(0, dot)).toUpperCase()
  const key = dot < 0 ? '' : name.slice(dot + 1).toLowerCase()
  if (collection === 'TX') return transaction.tx.get(key) ?? ''
  if (collection === 'RULE') return key === 'id' ? String(rule?.id ?? '') : (rule?.severity ?? '')
  const entries = transaction.collection(collection)
  const found = key === '' ? entries[0] : entries.find((entry) => entry.key.toLowerCase() === key)
  return found?.value.raw ?? ''
}
