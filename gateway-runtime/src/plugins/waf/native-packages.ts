import { createRequire } from 'node:module'

/**
 * Loads packages that carry machine code or WebAssembly. They are required when they are first needed, from their own
 * folder: neither a bundle nor a program that runs no firewall has them in it.
 */
const require = createRequire(import.meta.url)

/** Rust's regular expressions in WebAssembly. */
export const loadRustRegex = (): typeof import('rregex') => require('rregex')

/** Datadog's firewall library, which has libinjection in it. */
export const loadAppsec = (): typeof import('@datadog/native-appsec') => require('@datadog/native-appsec')
