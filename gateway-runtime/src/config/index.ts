/** The one zod of the project: schemas of environments are reported by the same code as configurations. */
export { z } from 'zod'
export { type AdminRole, type AdminSettings, adminRoles } from './admin-schema.ts'
export { compile } from './compile.ts'
export { ConfigurationError, formatProblem, type Problem } from './configuration-error.ts'
export { differences, type EntityChange, entityName, type FieldChange, maskedChanges } from './difference.ts'
export * from './duration.ts'
export {
  type EntityEdit,
  EntityExists,
  EntityNotFound,
  editEntities,
} from './edit.ts'
export { EditRefused } from './flow-collection.ts'
export { type FolderContents, readFolder } from './folder.ts'
export { configurationJsonSchema, jsonSchemaOf } from './json-schema.ts'
export { type LoadedConfiguration, type LoadOptions, loadConfiguration, namedPluginFiles } from './load.ts'
export { parsePluginId, pluginId, pluginIdOf } from './plugin-id.ts'
export { replaceConfiguration } from './replace-configuration.ts'
export { precedence } from './route-order.ts'
export * from './schema.ts'
export { masked, maskSecrets } from './secrets.ts'
export type * from './snapshot.ts'
export { FolderChanged, writeFolder } from './write-folder.ts'
export { parseYamlFile, YamlSource } from './yaml-source.ts'
