import { open } from 'node:fs/promises'
import { parseDocument } from 'yaml'

const mostBytes = 4_194_304

/**
 * Reads a document in YAML or JSON.
 * @throws Error that names the file, and what is wrong with it
 */
export async function readDocument(file: string): Promise<unknown> {
  try {
    const text = await readUpTo(file, mostBytes)
    const document = parseDocument(text)
    const [error] = document.errors
    if (error) throw error
    return document.toJS({ maxAliasCount: 1_000 })
  } catch (error) {
    throw new Error(`openapi: ${file} cannot be read: ${(error as Error).message.split('\n')[0]}`, {
      cause: error,
    })
  }
}

async function readUpTo(file: string, bytes: number): Promise<string> {
  await using handle = await open(file)
  const { size } = await handle.stat()
  if (size > bytes) throw new Error(`it has ${size} bytes, more than ${bytes}`)
  return await handle.readFile('utf8')
}
