import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../../../scripts/process/tool.ts'

/** What a program of Pulumi asked its engine for. */
export interface Deployed {
  readonly resources: readonly DeployedResource[]
  /** Functions, which data sources become. */
  readonly calls: readonly { readonly token: string; readonly inputs: Readonly<Record<string, unknown>> }[]
  readonly outputs: Readonly<Record<string, unknown>>
  /** Whether each of the outputs is a secret. */
  readonly secrets: readonly boolean[]
}

export interface DeployedResource {
  readonly type: string
  readonly name: string
  // biome-ignore lint/suspicious/noExplicitAny: whatever the provider takes
  readonly inputs: Readonly<Record<string, any>>
  /** Names of inputs that are secret. */
  readonly secrets: readonly string[]
  /** URN and id of the provider; empty for the default one. */
  readonly provider: string
  readonly options: {
    readonly protect: boolean
    readonly deleteBeforeReplace: boolean
    readonly ignoreChanges: readonly string[]
    /** Names of what must be there before. */
    readonly dependencies: readonly string[]
    readonly timeouts?: Readonly<Record<string, string>>
  }
}

/**
 * Runs a program of Pulumi in a process of its own, with mocks in place of the engine and the clouds.
 * @param program path of a module that exports `outputs`
 * @throws Error with what it wrote when it fails
 */
export async function deployModule(program: string, stack: string): Promise<Deployed> {
  const directory = await mkdtemp(join(tmpdir(), 'gateway-pulumi-'))
  try {
    const report = join(directory, 'report.json')
    const script = join(import.meta.dirname, 'deploy-with-mocks.ts')
    const child = spawn(process.execPath, [script, program, stack, report], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    }
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    if (code !== 0) throw new Error(output || `it ended with ${code}`)
    return JSON.parse(await readFile(report, 'utf8'))
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** The same for the text of a program, which may import from the repository by `#root/`. */
export async function deploy(program: string, stack = 'test'): Promise<Deployed> {
  // Below node_modules, where its imports are found; no types are stripped there.
  const directory = await mkdtemp(join(root, 'node_modules/.gateway-pulumi-'))
  try {
    const file = join(directory, 'index.mjs')
    await writeFile(file, stripTypeScriptTypes(program.replaceAll('#root/', `${root}/`)))
    return await deployModule(file, stack)
  } finally {
    await rm(directory, { recursive: true })
  }
}
