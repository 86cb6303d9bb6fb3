import type { ProviderNames, TypeNames } from '../../constructs/pulumi/names.ts'
import { Declarations } from './declarations.ts'
import { match } from './match.ts'
import { providerSchema, terraformSchema } from './terraform-schema.ts'
import { dataTypes, renames, resourceTypes } from './types.ts'

/**
 * Finds how @pulumi/aws calls what Terraform's provider has, for all types that constructs use.
 * @param modules folder node_modules with @pulumi/aws
 * @returns the names, and paths of what Pulumi does not have
 */
export function awsNames(modules: string): { names: ProviderNames; missing: string[] } {
  const declarations = new Declarations(modules)
  const missing: string[] = []
  const namesOf = (types: Readonly<Record<string, string>>, isData: boolean) =>
    Object.fromEntries(
      Object.entries(types).map(([type, token]): [string, TypeNames] => {
        const { inputs, outputs } = declarations.find(token)
        const found = match(type, terraformSchema(type, isData), [inputs, outputs], renames)
        missing.push(...found.missing)
        return [type, { token, properties: found.properties }]
      }),
    )
  const token = 'pulumi:providers:aws'
  const provider = match('provider.aws', providerSchema(), [declarations.provider()], renames)
  return {
    names: {
      resources: namesOf(resourceTypes, false),
      data: namesOf(dataTypes, true),
      providers: { aws: { token, properties: provider.properties } },
    },
    missing: [...missing, ...provider.missing],
  }
}

/** A line for each property, so that a difference shows what changed. */
export function renderNames({ resources, data, providers }: ProviderNames): string {
  const type = ([name, { token, properties }]: [string, TypeNames]) => {
    const lines = Object.entries(properties).map(
      ([property, value]) => `        ${JSON.stringify(property)}: ${JSON.stringify(value)}`,
    )
    return `    ${JSON.stringify(name)}: {\n      "token": ${JSON.stringify(token)},\n      "properties": {\n${lines.join(',\n')}\n      }\n    }`
  }
  const section = (name: string, types: Readonly<Record<string, TypeNames>>) =>
    `  ${JSON.stringify(name)}: {\n${Object.entries(types).map(type).join(',\n')}\n  }`
  return `{\n${section('resources', resources)},\n${section('data', data)},\n${section('providers', providers)}\n}\n`
}
