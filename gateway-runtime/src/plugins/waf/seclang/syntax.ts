/** The directives of SecLang, as ModSecurity's reference manual describes them, before anything is compiled. */

/** Where a directive stands: `FILE:LINE`. */
export type Location = string

/** One part of a rule's first argument, such as `!REQUEST_COOKIES:/__utm/`. */
export interface VariableSyntax {
  /** In upper case: `ARGS`. */
  readonly collection: string
  readonly selector: Selector | undefined
  /** `&ARGS`: how many there are. */
  readonly counted: boolean
  /** `!ARGS:x`: not this one. */
  readonly excluded: boolean
}

/** Which entries of a collection: one by its name, or all whose names match. */
export type Selector =
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'pattern'; readonly source: string }

export interface OperatorSyntax {
  /** Without the @, in lower case: `rx`. */
  readonly name: string
  readonly negated: boolean
  readonly argument: string
}

export interface ActionSyntax {
  /** In lower case. */
  readonly name: string
  /** What follows the colon, without its quotes. */
  readonly argument: string
}

/** A SecRule, or a SecAction, which has neither variables nor an operator. */
export interface RuleSyntax {
  readonly variables: readonly VariableSyntax[]
  readonly operator: OperatorSyntax | undefined
  readonly actions: readonly ActionSyntax[]
  readonly location: Location
}

export type Directive =
  | { readonly type: 'rule'; readonly rule: RuleSyntax }
  | { readonly type: 'marker'; readonly name: string }
  | {
      readonly type: 'default-action'
      readonly actions: readonly ActionSyntax[]
      readonly location: Location
    }
  | { readonly type: 'remove-by-id'; readonly ranges: readonly IdRange[] }
  | { readonly type: 'remove-by-tag'; readonly pattern: string }
  | {
      readonly type: 'update-target'
      readonly rules: { readonly ids: readonly IdRange[] } | { readonly tag: string }
      readonly variables: readonly VariableSyntax[]
    }
  | { readonly type: 'signature'; readonly signature: string }

/** Ids of rules, both ends included. */
export interface IdRange {
  readonly from: number
  readonly to: number
}

/** A directive that could not be read; `message` says why, `location` where. */
export class SeclangError extends Error {
  readonly location: Location
  constructor(location: Location, message: string) {
    super(message)
    this.location = location
  }
}
