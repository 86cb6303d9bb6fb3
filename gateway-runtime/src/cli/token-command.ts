import { createHash, randomBytes } from 'node:crypto'
import { type Command, Option } from 'commander'
import { stringify } from 'yaml'
import { adminRoles } from '../config/index.ts'

const list = (text: string) => text.split(',').map((item) => item.trim())

interface TokenOptions {
  readonly name: string
  readonly role: string
  readonly tags?: readonly string[]
  readonly names?: readonly string[]
  readonly json?: boolean
}

/** `token`: makes a token for the admin API. It is shown once; the configuration gets its hash. */
export function addTokenCommand(program: Command): void {
  const token = program
    .command('token')
    .description('make a token for the admin API, and the entry of admin.tokens for it')
    .requiredOption('--name <name>', 'what the audit log calls who has it')
    .addOption(new Option('--role <role>', 'what its bearer may do').choices(adminRoles).default('viewer'))
    .option('--tags <list>', 'only for entities with one of these tags', list)
    .option('--names <list>', 'only for entities with one of these names, such as team-a-*', list)
    .option('--json', 'print JSON, for programs')
  token.action(({ json, ...rights }: TokenOptions) => {
    const text = randomBytes(32).toString('base64url')
    const entry = { ...rights, sha256: createHash('sha256').update(text).digest('hex') }
    const answer = json
      ? JSON.stringify({ token: text, entry }, null, 2)
      : `The token, which is shown this once:\n\n  ${text}\n\nIts entry for config.yaml:\n\n${indent(stringify({ admin: { tokens: [entry] } }))}`
    process.stdout.write(`${answer}\n`)
  })
}

const indent = (text: string) => text.trimEnd().replace(/^/gm, '  ')
