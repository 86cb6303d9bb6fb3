import type { Json, JsonObject } from './json.ts'
import { type Files, withLocalFiles } from './local-files.ts'
import { readme } from './readme.ts'

type Resources = Record<string, Record<string, JsonObject>>

interface Terraform {
  readonly backend?: Readonly<Record<string, JsonObject>>
  readonly required_providers?: Readonly<
    Record<string, { readonly source: string; readonly version: string }>
  >
  readonly required_version?: string
}

interface Stack {
  readonly terraform: Terraform
  readonly resource?: Resources
  readonly [key: string]: unknown
}

/**
 * What Terraform and OpenTofu need to deploy a stack without this repository: main.tf.json, the files that it reads, and
 * a page on how.
 * @param name of the stack
 * @param text of cdk.tf.json
 * @returns files by their path in the folder
 * @throws Error when the stack reads a file that cannot be read
 */
export function stackFolder(name: string, text: string): Files {
  const files: Files = new Map()
  const stack: Stack = JSON.parse(text, withoutMetadata)
  const terraform = pinned(stack.terraform)
  const resource = Object.fromEntries(
    Object.entries(stack.resource ?? {}).map(([type, resources]) => [
      type,
      Object.fromEntries(
        Object.entries(resources).map(([id, body]) => [id, withLocalFiles(type, body, files)]),
      ),
    ]),
  )
  const json = { ...stack, terraform, resource }
  files.set('main.tf.json', `${JSON.stringify(json, null, 2)}\n`)
  const backend = Object.entries(terraform.backend ?? {})[0]
  files.set(
    'README.md',
    readme({
      name,
      ...(backend && { bucket: String(backend[1].bucket) }),
      providers: Object.values(terraform.required_providers ?? {}),
      assets: [...files.keys()].filter((file) => file.startsWith('assets/')),
    }),
  )
  return files
}

/** What stands under "//" for people stays, such as which findings are accepted and why; what is for cdktf goes. */
function withoutMetadata(key: string, value: Json): Json | undefined {
  if (key !== '//' || value === null || typeof value !== 'object') return value
  const { metadata: _, outputs: __, ...rest } = value as JsonObject
  return Object.keys(rest).length > 0 ? rest : undefined
}

/** Names providers in full, and leaves a state that is no team's to a file beside main.tf.json, the default. */
function pinned({ backend, required_providers: providers, required_version: version }: Terraform): Terraform {
  const shared = backend && !('local' in backend) ? backend : undefined
  const minimum = version ?? (shared ? '>= 1.10.0' : '>= 1.5.0') // of use_lockfile
  return {
    required_version: minimum,
    ...(shared && { backend: shared }),
    ...(providers && {
      required_providers: Object.fromEntries(
        Object.entries(providers).map(([name, { source, version: exact }]) => [
          name,
          { source: source.includes('/') ? source : `hashicorp/${source}`, version: exact },
        ]),
      ),
    }),
  }
}
