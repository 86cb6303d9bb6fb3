/*
 * What @peculiar/x509 needs of the "reflect-metadata" proposal, for the container that it finds its parts in:
 * values kept beside classes. Import it before @peculiar/x509. It adds nothing where a full one is loaded.
 */
const values = new WeakMap<object, Map<unknown, unknown>>()
const getOwnMetadata = (key: unknown, target: object) => values.get(target)?.get(key)

if (!('getMetadata' in Reflect)) {
  Object.assign(Reflect, {
    getOwnMetadata,
    getMetadata: getOwnMetadata,
    defineMetadata(key: unknown, value: unknown, target: object) {
      if (!values.has(target)) values.set(target, new Map())
      values.get(target)!.set(key, value)
    },
  })
}
