import { hash } from 'node:crypto'

/** A strong validator (RFC 9110, section 8.8.3) of what JSON can say. */
export const etagOf = (value: unknown): string => `"${hash('sha256', JSON.stringify(value)).slice(0, 32)}"`
