import { hash } from 'node:crypto'

/** How an API key is stored and compared: keys are long and random, so that no slow hash is needed. */
export const apiKeyHash = (key: string): string => `sha256:${hash('sha256', key, 'hex')}`
