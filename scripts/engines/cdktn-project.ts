import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../process/tool.ts'
import { changeProject } from './change-project.ts'
import { installEngine } from './install.ts'

/** What is written against cdktf, with what tests it and what these need. */
const copied = [
  'constructs',
  'stacks',
  'scripts',
  'deploy',
  'docs',
  'engines/cdktn/package.json',
  'test/constructs',
  'test/stacks',
  'test/support',
  'cdktf.json',
  'jest.config.mjs',
  'package.json',
  'tsconfig.json',
]

/** A copy of this repository that runs on CDK Terrain. */
export interface CdktnProject {
  readonly directory: string
  remove(): void
}

/**
 * Copies what is written against cdktf, and changes the copy as users change their projects. Its node_modules are those
 * of this repository, with CDK Terrain in place of cdktf.
 * @throws Error when the packages of CDK Terrain cannot be installed
 */
export async function createCdktnProject(): Promise<CdktnProject> {
  const modules = await installEngine('cdktn')
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-cdktn-'))
  for (const path of copied) {
    cpSync(join(root, path), join(directory, path), {
      recursive: true,
      filter: (source) => !/\/(constructs|stacks)\/pulumi($|\/)|\/scripts\/pulumi-/.test(source),
    })
  }
  symlinkSync(join(root, 'gateway-runtime'), join(directory, 'gateway-runtime'))
  linkModules(join(directory, 'node_modules'), modules)
  changeProject(directory)
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

function linkModules(target: string, modules: string) {
  mkdirSync(target)
  const theirs = visible(modules)
  const ours = visible(join(root, 'node_modules')).filter(
    (name) => !theirs.includes(name) && !['cdktf', 'cdktf-cli', '@cdktf', '@pulumi'].includes(name),
  )
  for (const name of ours) symlinkSync(join(root, 'node_modules', name), join(target, name))
  for (const name of theirs) symlinkSync(join(modules, name), join(target, name))
  symlinkSync(join(root, 'node_modules/.bin'), join(target, '.bin'))
}

const visible = (folder: string) => readdirSync(folder).filter((name) => !name.startsWith('.'))
