/** The constructs in programs of Pulumi. */

export { type ImportFile, importFile } from './import-file.ts'
export type { PropertyName, ProviderNames, TypeNames } from './names.ts'
export {
  type Constructs,
  TerraformConstructs,
  type TerraformConstructsOptions,
} from './terraform-constructs.ts'
