/*
 * Plugins that find out who a client is have the orders 1000 to 1999; a higher order sees a request first.
 */
const first = 1_999
const last = 1_000

/** Whether a plugin of this order finds out who the client is. */
export const isAuthentication = ({ order }: { readonly order: number }): boolean =>
  order >= last && order <= first

/** Whether it sees requests when that is known. */
export const isBehindAuthentication = ({ order }: { readonly order: number }): boolean => order < last
