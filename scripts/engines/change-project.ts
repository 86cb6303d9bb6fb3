import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { engineFolder } from './install.ts'
import { changeImports, changeManifest, type Manifest } from './specifiers.ts'

/** What changing a project over did, or would do. */
export interface ProjectChange {
  /** Files that were changed, relative to the project. */
  readonly files: readonly string[]
  /** Packages of which a version is still to be chosen. */
  readonly unpinned: readonly string[]
}

const skipped = new Set(['node_modules', '.git', '.gen', '.terraform', 'cdktf.out', 'dist', 'coverage'])

/** The versions of CDK Terrain that the constructs are tested with. */
export function testedVersions(): Record<string, string> {
  const { dependencies } = JSON.parse(readFileSync(join(engineFolder('cdktn'), 'package.json'), 'utf8'))
  return { ...dependencies, 'cdktn-cli': dependencies.cdktn }
}

/**
 * Changes a project from cdktf to CDK Terrain: imports in its programs, and dependencies in each package.json. Links are
 * not followed; installed, generated and built files are left alone. What was changed already stays as it is.
 * @param write false to only say what would change
 */
export function changeProject(project: string, { write = true } = {}): ProjectChange {
  const files: string[] = []
  const unpinned = new Set<string>()
  const replace = (file: string, change: (text: string) => string) => {
    const text = readFileSync(file, 'utf8')
    const changed = change(text)
    if (changed === text) return
    files.push(relative(project, file))
    if (write) writeFileSync(file, changed)
  }
  const versions = testedVersions()
  for (const file of sourceFiles(project)) {
    if (/\.[cm]?[jt]sx?$/.test(file)) replace(file, changeImports)
    else {
      replace(file, (text) => {
        const before: Manifest = JSON.parse(text)
        const changed = changeManifest(before, versions)
        for (const name of changed.unpinned) unpinned.add(name)
        return changed.manifest === before ? text : `${JSON.stringify(changed.manifest, null, 2)}\n`
      })
    }
  }
  return { files, unpinned: [...unpinned] }
}

/** Programs and manifests of a folder. */
function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : sourceFiles(path)
    return entry.isFile() && /\.[cm]?[jt]sx?$|^package\.json$/.test(entry.name) ? [path] : []
  })
}
