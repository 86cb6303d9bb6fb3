/**
 * The text in memory of its own, to be kept: a slice would keep the whole head that it was cut from, and what was joined is
 * copied together at every use. Latin-1.
 */
export const ownCopy = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')
