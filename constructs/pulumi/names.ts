import { readFileSync } from 'node:fs'

/** How a property of Terraform is called and shaped in Pulumi. */
export interface PropertyName {
  readonly name: string
  /** `string`, `number`, `boolean`, `any`, `map` or `object`, with `[]` behind for each list around it. */
  readonly shape: string
  /** Of objects: Terraform's name → Pulumi's. */
  readonly fields?: Readonly<Record<string, PropertyName>>
}

export interface TypeNames {
  /** `package:module/member:Member`, as in Pulumi's schema. */
  readonly token: string
  /** Terraform's name → Pulumi's. */
  readonly properties: Readonly<Record<string, PropertyName>>
}

/** Terraform's types of a provider, such as aws_subnet → what they are in Pulumi. */
export interface ProviderNames {
  readonly resources: Readonly<Record<string, TypeNames>>
  readonly data: Readonly<Record<string, TypeNames>>
  /** What configures a provider, such as aws. */
  readonly providers: Readonly<Record<string, TypeNames>>
}

/** What the constructs of Gatehouse use of AWS, for @pulumi/aws 7. */
export const awsNames: ProviderNames = JSON.parse(
  readFileSync(new URL('aws-names.json', import.meta.url), 'utf8'),
)

/** Both together; the second wins where both have a type. */
export const mergeNames = (first: ProviderNames, second: ProviderNames): ProviderNames => ({
  resources: { ...first.resources, ...second.resources },
  data: { ...first.data, ...second.data },
  providers: { ...first.providers, ...second.providers },
})
