/*
 * What programs import when they go from cdktf to CDK Terrain: the packages have the same modules and the same names
 * in them.
 */

/** Where a module is named: import, export … from, import(), require(), and the functions of Jest that take one. */
const specifier =
  /(\bfrom\s*|\bimport\s*\(?\s*|\brequire(?:\.resolve)?\s*\(\s*|\bjest\.\w+\s*\(\s*)(['"])(cdktf|@cdktf\/provider-[a-z0-9-]+)((?:\/[^'"\n]*)?)\2/g

const renamed = (name: string) => name.replace('cdktf', 'cdktn')

/** The text of a program with every import of cdktf and of its providers turned into that of CDK Terrain. */
export const changeImports = (source: string): string =>
  source.replace(
    specifier,
    (_, before: string, quote: string, name: string, path: string) =>
      `${before}${quote}${renamed(name)}${path}${quote}`,
  )

type Dependencies = Record<string, string>

/** The parts of a package.json that name dependencies. */
export interface Manifest {
  readonly dependencies?: Readonly<Dependencies>
  readonly devDependencies?: Readonly<Dependencies>
  readonly peerDependencies?: Readonly<Dependencies>
  readonly scripts?: Readonly<Dependencies>
}

export interface ChangedManifest {
  readonly manifest: Manifest
  /** Packages whose version nobody here knows: the newest is asked for, and one should be chosen. */
  readonly unpinned: readonly string[]
}

/**
 * A package.json with cdktf, its command line and its providers replaced.
 * @param versions name → version of what CDK Terrain was tested with, among them constructs, of which it refuses newer
 */
export function changeManifest(manifest: Manifest, versions: Readonly<Dependencies>): ChangedManifest {
  const unpinned: string[] = []
  const change = (dependencies: Readonly<Dependencies>): Dependencies =>
    Object.fromEntries(
      Object.entries(dependencies).map(([name, version]) => {
        if (name === 'constructs') return [name, versions.constructs ?? version]
        if (!/^(cdktf(-cli)?|@cdktf\/provider-.+)$/.test(name)) return [name, version]
        const next = renamed(name)
        const known = versions[next]
        if (known === undefined) unpinned.push(next)
        return [next, known ?? 'latest']
      }),
    )
  if (![manifest.dependencies, manifest.devDependencies, manifest.peerDependencies].some(hasCdktf)) {
    return { manifest, unpinned }
  }
  const changed = Object.fromEntries(
    Object.entries(manifest).map(([key, value]) => {
      if (/^(dev|peer)?dependencies$/i.test(key)) return [key, change(value)]
      return [key, key === 'scripts' ? mapValues(value, changeCommand) : value]
    }),
  )
  return { manifest: changed, unpinned }
}

const hasCdktf = (dependencies: Readonly<Dependencies> = {}) =>
  Object.keys(dependencies).some((name) => /^(cdktf(-cli)?$|@cdktf\/provider-)/.test(name))

/** The program cdktf is called cdktn. */
const changeCommand = (command: string) => command.replace(/(?<![\w./@-])cdktf(?=\s)/g, 'cdktn')

const mapValues = (values: Readonly<Dependencies>, change: (value: string) => string): Dependencies =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value)]))
