import { styleText } from 'node:util'

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** Seconds for people: `0.4 s`. */
export const seconds = (milliseconds: number) => `${(milliseconds / 1_000).toFixed(1)} s`

const paint = (style: 'green' | 'red' | 'dim', text: string) =>
  styleText(style, text, { stream: process.stderr })

/**
 * Does a piece of work under a title and says how long it took: with a running clock on a terminal, as one plain
 * line elsewhere. It writes to stderr, so that results can be piped. What the work throws is thrown on, after the line was marked ✗.
 */
export async function step<T>(title: string, work: () => T | Promise<T>): Promise<T> {
  const began = performance.now()
  const clock = process.stderr.isTTY ? showClock(title, began) : undefined
  if (!clock) process.stderr.write(`  ${title} …`)
  const close = (mark: string) => {
    clearInterval(clock)
    const time = paint('dim', seconds(performance.now() - began))
    process.stderr.write(clock ? `\r\x1b[K${mark} ${title} ${time}\n` : ` ${mark} ${time}\n`)
  }
  try {
    const result = await work()
    close(paint('green', '✓'))
    return result
  } catch (error) {
    close(paint('red', '✗'))
    throw error
  }
}

function showClock(title: string, began: number): NodeJS.Timeout {
  let frame = 0
  const draw = () => {
    const time = paint('dim', seconds(performance.now() - began))
    process.stderr.write(`\r\x1b[K${frames[frame++ % frames.length]} ${title} ${time}`)
  }
  draw()
  return setInterval(draw, 100)
}
