/** Somebody with something to send. */
interface Sender {
  send(): void
}

const mostDue = 16

let due: Sender[] = []
let isArranged = false

/**
 * Lets `sender` send when the sockets that can be read now have been read, with all others that have something to
 * send by then; what it is about to add goes along. A write wakes the peer, which costs more than the write itself where
 * it sleeps; writes one behind the other find it awake, and the code that makes them is in the cache.
 */
export function sendSoon(sender: Sender): void {
  if (due.length >= mostDue) sendDue()
  due.push(sender)
  if (isArranged) return
  isArranged = true
  setImmediate(onTurnEnd)
}

function onTurnEnd(): void {
  isArranged = false
  sendDue()
}

function sendDue(): void {
  const senders = due
  due = []
  for (const sender of senders) sender.send()
}
