import type { FieldSink } from '../fields.ts'
import type { HeaderName } from './header-name.ts'

const lineEnd = '\r\n'

/** One field as HTTP/1.1 writes it, with its line end (RFC 9112 section 5). */
export const fieldLine = ({ start }: HeaderName, value: string): string => start + value + lineEnd

/** Collects a head: what it begins with, and a line for each field. */
export class FieldLines implements FieldSink {
  text: string

  constructor(text: string) {
    this.text = text
  }

  field(name: HeaderName, value: string): void {
    this.text += fieldLine(name, value)
  }
}
