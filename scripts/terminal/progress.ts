import { styleText } from 'node:util'

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** Seconds for people: `0.4 s`. */
export const seconds = (milliseconds: number) => `${(milliseconds / 1_000).toFixed(1)} s`

export const green = (text: string) => styleText('green', text)
export const red = (text: string) => styleText('red', text)
export const dim = (text: string) => styleText('dim', text)
export const bold = (text: string) => styleText('bold', text)

/**
 * Does a piece of work under a title and says how long it took: with a running clock on a terminal, as one plain
 * line elsewhere. What the work throws is thrown on, after the line was marked ✗.
 */
export async function step<T>(title: string, work: () => T | Promise<T>): Promise<T> {
  const began = performance.now()
  const clock = process.stdout.isTTY ? showClock(title, began) : undefined
  if (!clock) process.stdout.write(`  ${title} …`)
  const close = (mark: string) => {
    clearInterval(clock)
    const time = dim(seconds(performance.now() - began))
    process.stdout.write(clock ? `\r\x1b[K${mark} ${title} ${time}\n` : ` ${mark} ${time}\n`)
  }
  try {
    const result = await work()
    close(green('✓'))
    return result
  } catch (error) {
    close(red('✗'))
    throw error
  }
}

function showClock(title: string, began: number): NodeJS.Timeout {
  let frame = 0
  const draw = () => {
    const time = dim(seconds(performance.now() - began))
    process.stdout.write(`\r\x1b[K${frames[frame++ % frames.length]} ${title} ${time}`)
  }
  draw()
  return setInterval(draw, 100)
}
