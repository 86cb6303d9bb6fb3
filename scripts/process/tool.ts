import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** The folder of the repository. */
export const root = join(import.meta.dirname, '../..')

const scripts = {
  biome: '@biomejs/biome/bin/biome',
  jest: 'jest/bin/jest.js',
  tsc: 'typescript/bin/tsc',
} as const

export interface ToolRun {
  /** undefined when a signal or the limit ended it. */
  readonly code: number | undefined
  /** What it wrote to both streams; '' where it was shown. */
  readonly output: string
}

export interface ToolOptions {
  /** Arguments of Node.js itself. */
  readonly nodeArguments?: readonly string[]
  /** Writes straight to the terminal, in place of keeping the output. */
  readonly show?: boolean
  /** Milliseconds after which it is ended; 600,000. */
  readonly limit?: number
}

/** Runs a development tool of node_modules under this Node.js, at the root of the repository. */
export function runTool(
  name: keyof typeof scripts,
  args: readonly string[],
  { nodeArguments = [], show = false, limit = 600_000 }: ToolOptions = {},
): Promise<ToolRun> {
  const script = join(root, 'node_modules', scripts[name])
  const child = spawn(process.execPath, [...nodeArguments, script, ...args], {
    cwd: root,
    stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    timeout: limit,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? undefined, output }))
  })
}
