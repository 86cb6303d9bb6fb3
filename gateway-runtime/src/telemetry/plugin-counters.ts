import type { PluginDefinition } from '../plugins/contract.ts'

/*
 * What plugins count: one 64-bit float a counter and worker. Each worker writes its own alone.
 */

const namesOf = ({ counters = {} }: PluginDefinition): string[] => Object.keys(counters)

/** Bytes for the counters of one plugin. */
export const countersMemorySize = (definition: PluginDefinition, workers: number): number =>
  namesOf(definition).length * workers * Float64Array.BYTES_PER_ELEMENT

/** The side of a worker. Throws where the plugin has no such counter. */
export function pluginCounter(
  definition: PluginDefinition,
  memory: SharedArrayBuffer,
  worker: number,
): (counter: string, by?: number) => void {
  const names = namesOf(definition)
  const values = new Float64Array(memory)
  return (counter, by = 1) => {
    const index = names.indexOf(counter)
    if (index < 0) throw new TypeError(`${definition.name} has no counter ${counter}`)
    values[worker * names.length + index]! += by
  }
}

/** Sums over all workers. */
export function readPluginCounters(
  definition: PluginDefinition,
  memory: SharedArrayBuffer,
): (readonly [counter: string, value: number])[] {
  const names = namesOf(definition)
  const values = new Float64Array(memory)
  return names.map((name, index) => {
    let sum = 0
    for (let at = index; at < values.length; at += names.length) sum += values[at]!
    return [name, sum]
  })
}
