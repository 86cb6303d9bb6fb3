import { spawnSync } from 'node:child_process'
import { existsSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/**
 * Compiles a program as a team outside this repository would, in a folder of its own that knows the same packages.
 * @returns what the compiler says; nothing when all is right
 */
export function typeCheck(directory: string, program: string): string {
  if (!existsSync(join(directory, 'node_modules'))) {
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
  }
  writeFileSync(join(directory, 'package.json'), '{"type": "module"}')
  writeFileSync(join(directory, 'main.ts'), program)
  const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false }
  writeFileSync(
    join(directory, 'tsconfig.json'),
    JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: ['main.ts'] }),
  )
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', directory, '--pretty', 'false'],
    { encoding: 'utf8' },
  )
  return stdout + stderr
}
