import { HeaderKind, type HeaderName, headerName } from './http1/header-name.ts'

/** A name that was found to be one, with the value that was last found to be one beside it. */
interface Checked {
  readonly name: HeaderName
  readonly isSettable: boolean
  value: string
}

// Plugins set the same few names again and again, most of them to the same value.
const checked = new Map<string, Checked>()
const mostChecked = 1_024
const settable = new Set<HeaderKind>([HeaderKind.other, HeaderKind.singleton, HeaderKind.date])

/** @throws TypeError where it is no field, or would break the message (RFC 9110 sections 5.5 and 5.6.2) */
export const checkedField = (name: string, value: string): HeaderName => check(name, value).name

/** @throws TypeError also where the gateway alone says what stands there */
export function settableField(name: string, value: string): HeaderName {
  const field = check(name, value)
  if (!field.isSettable) throw new TypeError(`${name} is the gateway's to set`)
  return field.name
}

function check(name: string, value: string): Checked {
  const known = checked.get(name) ?? learn(name)
  if (known.value === value) return known
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) throw new TypeError(`not a header field: ${name}`)
  known.value = value
  return known
}

function learn(text: string): Checked {
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(text)) throw new TypeError(`not a header field: ${text}`)
  const name = headerName(text)
  const learned = { name, isSettable: settable.has(name.kind), value: '' }
  if (checked.size < mostChecked) checked.set(text, learned)
  return learned
}
