import { eventually } from './eventually.ts'
import type { TestGateway } from './gateway.ts'

/** Until a line of their metrics matches, at every one of the gateways; `what` says it in an error. */
export async function everyoneSees(
  gateways: readonly TestGateway[],
  what: string,
  metric: RegExp,
): Promise<void> {
  await eventually(
    what,
    async () => {
      const pages = await Promise.all(gateways.map(({ statusUrl }) => fetch(`${statusUrl}/metrics`)))
      const texts = await Promise.all(pages.map((page) => page.text()))
      return texts.every((text) => metric.test(text))
    },
    60_000,
  )
}

/** Until every one of the gateways counts them all as nodes of its cluster. */
export const knowEachOther = (gateways: readonly TestGateway[]): Promise<void> =>
  everyoneSees(
    gateways,
    'nodes know of each other',
    new RegExp(`^gatehouse_cluster_nodes ${gateways.length}$`, 'm'),
  )
