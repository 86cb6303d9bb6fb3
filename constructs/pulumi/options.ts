import type { CustomResourceOptions } from '@pulumi/pulumi'
import type { PropertyName } from './names.ts'
import { isObject, type JsonObject } from './terraform-json.ts'

/** Arguments that all of Terraform's resources take, which are options of resources in Pulumi. */
export const metaArguments = [
  '//',
  'connection',
  'depends_on',
  'lifecycle',
  'provider',
  'provisioner',
  'timeouts',
] as const

const repeated = ['count', 'for_each', 'dynamic']
const lifecycles = ['create_before_destroy', 'ignore_changes', 'prevent_destroy']

/** The arguments of a resource without those that are options. */
export const ownArguments = (body: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(body).filter(([key]) => !(metaArguments as readonly string[]).includes(key)),
  )

/**
 * What `lifecycle` and `timeouts` are in Pulumi. Terraform deletes before it makes anew, unless create_before_destroy.
 * @throws Error when a resource has what Pulumi has no option for
 */
export function lifecycleOptions(
  place: string,
  body: JsonObject,
  names: Readonly<Record<string, PropertyName>>,
): CustomResourceOptions {
  const found = repeated.find((key) => key in body)
  if (found) throw new Error(`${place}: ${found} is not known here: repeat in the program`)
  const lifecycle = isObject(body.lifecycle) ? body.lifecycle : {}
  const unknown = Object.keys(lifecycle).find((key) => !lifecycles.includes(key))
  if (unknown) throw new Error(`${place}: lifecycle.${unknown} is not known here`)
  const ignored = lifecycle.ignore_changes
  return {
    deleteBeforeReplace: lifecycle.create_before_destroy !== true,
    ...(lifecycle.prevent_destroy === true && { protect: true }),
    ...(ignored !== undefined && { ignoreChanges: ignoredChanges(ignored, names) }),
    ...(isObject(body.timeouts) && { customTimeouts: body.timeouts }),
  }
}

/** `all`, or paths such as tags["Name"] and setting[0].value, of which the first name is Terraform's. */
function ignoredChanges(ignored: unknown, names: Readonly<Record<string, PropertyName>>): string[] {
  if (!Array.isArray(ignored)) return ['*']
  return ignored.map((path: string) => {
    const [first = path] = /^[a-z0-9_]+/.exec(path) ?? []
    return (names[first]?.name ?? first) + path.slice(first.length)
  })
}
