/** What is in a body; text is latin1, a character a byte. */
export interface ParsedBody {
  readonly fields: readonly Field[]
  /** Parts with a file name. */
  readonly files: readonly FilePart[]
  /** Header lines of multipart parts, by the name of the part. */
  readonly partHeaders: readonly Field[]
  readonly xml: XmlText | undefined
  /** Why it is not what its content type says, or more than the limits allow. */
  readonly problem: string | undefined
}

export interface Field {
  readonly name: string
  readonly value: string
}

export interface FilePart {
  /** Name of the form's field. */
  readonly name: string
  readonly fileName: string
  /** Bytes. */
  readonly size: number
}

export interface XmlText {
  /** All text of the document in one. */
  readonly text: string
  readonly attributes: readonly string[]
}

export interface BodyLimits {
  /** Arguments, over query and body. */
  readonly arguments: number
  /** Objects and arrays, or elements, within each other. */
  readonly depth: number
}

export const emptyBody: ParsedBody = {
  fields: [],
  files: [],
  partHeaders: [],
  xml: undefined,
  problem: undefined,
}

/** Thrown by parsers; `message` says what is wrong. */
export class BodyProblem extends Error {}
