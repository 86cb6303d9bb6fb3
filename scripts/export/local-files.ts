import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { transformSync } from 'esbuild'
import type { Json } from './json.ts'

/** A file that goes with the stack, by its path below the exported folder. */
export type Files = Map<string, Buffer | string>

interface LocalExec {
  readonly interpreter?: readonly string[]
}

/**
 * Takes what a stack reads from this machine along: objects for S3, and programs of provisioners, which become
 * JavaScript that any Node.js from 20 on runs. The stack that is returned names them by `path.module`.
 * @param files gets what is to be written beside the stack
 */
export function withLocalFiles(type: string, resource: Record<string, Json>, files: Files) {
  const { provisioner, source } = resource
  return {
    ...resource,
    ...(type === 'aws_s3_object' && typeof source === 'string' && { source: take(source, files) }),
    ...(Array.isArray(provisioner) && {
      provisioner: provisioner.map((entry) => withLocalProgram(entry as Record<string, Json>, files)),
    }),
  }
}

function withLocalProgram(entry: Record<string, Json>, files: Files): Json {
  const exec = entry['local-exec'] as LocalExec | undefined
  const [program, script, ...rest] = exec?.interpreter ?? []
  if (program !== process.execPath || script === undefined) return entry
  return { 'local-exec': { ...exec, interpreter: ['node', take(script, files), ...rest] } }
}

function take(path: string, files: Files): string {
  const isTypeScript = path.endsWith('.ts')
  const name = `assets/${basename(path).replace(/\.ts$/, '.mjs')}`
  const content = readFileSync(path)
  const known = files.get(name)
  const taken = isTypeScript ? transformSync(content.toString('utf8'), { loader: 'ts' }).code : content
  if (known !== undefined && !Buffer.from(known).equals(Buffer.from(taken))) {
    throw new Error(`two different files are called ${basename(path)}; rename one of them`)
  }
  files.set(name, taken)
  return `\${path.module}/${name}`
}
