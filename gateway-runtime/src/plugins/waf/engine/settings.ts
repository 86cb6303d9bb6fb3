/** What a firewall does besides what its rules say. */
export interface WafSettings {
  /** `detect` only reports; `block` also says that a request is to be refused. */
  readonly mode: 'detect' | 'block'
  /** From 1 to 4; undefined: as the rules' own setup says, which is 1 in the Core Rule Set. */
  readonly paranoiaLevel?: number | undefined
  /** Score from which on a request is refused; undefined: as the rules' own setup says, 5 in the Core Rule Set. */
  readonly anomalyThreshold?: number | undefined
  /** Score from which on an answer is held back; undefined: as the rules' own setup says, 4 in the Core Rule Set. */
  readonly outboundThreshold?: number | undefined
  /** Whether answers are looked at, so that the rules for them are made ready too. */
  readonly inspectsResponses?: boolean | undefined
  /** Methods that rules allow besides GET, HEAD, POST and OPTIONS; undefined: as the rules' setup says. */
  readonly allowedMethods?: readonly string[] | undefined
  /** Milliseconds for one request; 100. */
  readonly timeBudget?: number | undefined
  /** What becomes of a request that could not be inspected to its end; `block`. */
  readonly onFailure?: 'block' | 'allow' | undefined
  /** Arguments over query and body; 1,000. */
  readonly maxArguments?: number | undefined
  /** Levels of JSON and XML; 64. */
  readonly maxDepth?: number | undefined
  readonly exclusions?: readonly Exclusion[] | undefined
}

/** Rules that shall not look at some requests, or at some of their variables. */
export interface Exclusion {
  /** Ids and ranges: 942100, '942100-942199'. With none and no tags all rules are meant. */
  readonly rules?: readonly (number | string)[] | undefined
  /** `attack-sqli`. */
  readonly tags?: readonly string[] | undefined
  /** Only for paths that begin so; undefined: for all. */
  readonly path?: string | undefined
  /** Only for requests of the route of this name; undefined: for all. */
  readonly route?: string | undefined
  /** Variables of SecLang that are not looked at, such as `ARGS:comment`; undefined: the rules are off altogether. */
  readonly variables?: readonly string[] | undefined
}
