import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { ConstructError, LocalGateway, type LocalGatewayProps } from '../../../constructs/index.ts'
import { synthesize } from '../synthesized.ts'
import { terraformFolder, terraformTest } from '../terraform.ts'

const directory = mkdtempSync(join(tmpdir(), 'gateway local ')) // a blank: paths are never split
afterAll(() => rmSync(directory, { recursive: true }))

// biome-ignore lint/suspicious/noTemplateCurlyInString: both Terraform and the gateway know this syntax
const config = '# ${env:HOME} %{ if }\n'
const local = (props: Partial<LocalGatewayProps> = {}) =>
  synthesize(
    (stack) =>
      new LocalGateway(stack, 'gateway', {
        configuration: { 'config.yaml': config },
        directory: join(directory, 'gateway'),
        program: join(directory, 'program'),
        ...props,
      }),
  )

/** A program that answers /readyz, as the gateway does; or one that ends at once. */
function writeProgram(body: string) {
  const program = join(directory, 'program')
  writeFileSync(program, `#!${process.execPath}\n${body}`)
  chmodSync(program, 0o755)
}
const answering = (port: number) =>
  `require('node:http').createServer((_, response) => response.end()).listen(${port}, '127.0.0.1')`

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
const answers = (port: number) =>
  fetch(`http://127.0.0.1:${port}/readyz`).then(
    (response) => response.ok,
    () => false,
  )

describe('LocalGateway', () => {
  terraformTest('starts with apply and stops with destroy', async () => {
    const statusPort = await freePort()
    writeProgram(answering(statusPort))
    const folder = terraformFolder(local({ statusPort }))
    try {
      expect(folder.run('init', '-input=false')).toMatchObject({ status: 0, stderr: '' })
      expect(folder.run('validate', '-no-color')).toMatchObject({ status: 0, stderr: '' })
      expect(folder.run('apply', '-auto-approve', '-input=false')).toMatchObject({ status: 0, stderr: '' })
      expect(await answers(statusPort)).toBe(true)
      expect(readFileSync(join(directory, 'gateway/config/config.yaml'), 'utf8')).toBe(config)
      expect(folder.run('plan', '-detailed-exitcode', '-input=false').status).toBe(0)
    } finally {
      expect(folder.run('destroy', '-auto-approve', '-input=false')).toMatchObject({ status: 0, stderr: '' })
      folder.remove()
    }
    expect(await answers(statusPort)).toBe(false)
    expect(existsSync(join(directory, 'gateway/gateway.pid'))).toBe(false)
  })

  terraformTest('fails with what the program wrote when it does not start', () => {
    writeProgram(`console.error('config.yaml:3:5: unknown key "listner"'); process.exit(1)`)
    const folder = terraformFolder(local())
    try {
      expect(folder.run('init', '-input=false').status).toBe(0)
      const { status, stdout, stderr } = folder.run('apply', '-auto-approve', '-input=false', '-no-color')
      expect(status).toBe(1)
      expect(stdout + stderr).toContain('config.yaml:3:5: unknown key "listner"')
    } finally {
      folder.remove()
    }
  })

  test.each<[Partial<LocalGatewayProps>, string]>([
    [{ directory: 'relative' }, 'stack/gateway: directory: expected an absolute path, got "relative"'],
    [{ program: 'gateway' }, 'stack/gateway: program: expected an absolute path, got "gateway"'],
    [{ configuration: {} }, 'stack/gateway: configuration: config.yaml is missing'],
  ])('refuses %j', (changes, message) => {
    expect(() => local(changes)).toThrow(ConstructError)
    expect(() => local(changes)).toThrow(message)
  })
})
