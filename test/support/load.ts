import { Agent, get } from 'node:http'

/**
 * Asks without a pause, over kept connections, until the function that it returns is called; that resolves to how often
 * each status, or message of an error, was the answer.
 */
export function startLoad(url: string, connections = 4): () => Promise<Map<number | string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const answers = new Map<number | string, number>()
  let isOver = false
  const ask = () =>
    new Promise<number | string>((resolve) => {
      const request = get(url, { agent }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode!))
      })
      request.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED') isOver = true // a test that failed has left its gateway, and the load
        resolve(error.message)
      })
    })
  const loops = Array.from({ length: connections }, async () => {
    while (!isOver) {
      const answer = await ask()
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
    }
  })
  return async () => {
    isOver = true
    await Promise.all(loops)
    agent.destroy()
    return answers
  }
}
