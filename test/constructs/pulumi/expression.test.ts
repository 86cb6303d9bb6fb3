// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Terraform writes its expressions so
import { spawnSync } from 'node:child_process'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { evaluate, referencesOf } from '../../../constructs/pulumi/evaluate.ts'
import { parseTemplate } from '../../../constructs/pulumi/expression.ts'
import { terraformFolder, terraformTest } from '../terraform.ts'

const value = (text: string, values: Record<string, unknown> = {}) =>
  evaluate(parseTemplate(text), (reference) => values[reference])

/** Written as Terraform's console takes them. */
const expressions = [
  '"a$${b}%%{c} \\"quoted\\" \\n \\\\ ${1 + 2}"',
  '1 + 2 * 3 - 4 / 2',
  '(1 + 2) * 3',
  '-3 % 2 == -1 || false',
  '!true && false',
  '1 < 2 ? "yes" : "no"',
  'true ? [1, 2] : []',
  '{ a = 1, "b": [true, null] }',
  '[for item in ["a", "b", "c"] : upper(item) if item != "b"]',
  '[for item in [{ id = 1, in = "x" }, { id = 2, in = "y" }] : item.id if item.in == "y"][0]',
  'one([for item in ["a"] : item])',
  'one([])',
  'join(",", concat(["a"], split("-", "b-c")))',
  'jsonencode({ a = "<&>", b = [1, 2.5], c = null })',
  'jsondecode("{\\"a\\": [1]}").a[0]',
  'length("abc") + length([1, 2]) + length({ a = 1 })',
  'merge({ a = 1 }, { b = 2 })',
  'element(["a", "b"], 3)',
  'flatten([[1], [[2], 3]])',
  'lower("ABC")',
  'tostring(12)',
  'tonumber("12")',
  'base64encode("gateway ü")',
  'sha256("gateway ü")',
  'cidrsubnet("10.20.0.0/16", 5, 3)',
  'cidrsubnet("10.20.255.7/16", 4, 15)',
  'cidrsubnet("2001:db8:1200::/56", 8, 0)',
  'cidrsubnet("2001:db8:1200::/56", 8, 255)',
  'cidrsubnet("2600:1f14:0:0:1:0:0:0/56", 8, 1)',
]

describe('expressions of Terraform', () => {
  terraformTest('have the values that Terraform gives them', () => {
    const folder = terraformFolder({})
    try {
      const list = `jsonencode([${expressions.join(', ')}])`
      const { stdout, stderr, status } = spawnSync('terraform', ['console'], {
        cwd: folder.directory,
        input: `${list}\n`,
        encoding: 'utf8',
        env: { ...process.env, TF_CLI_CONFIG_FILE: '/dev/null' },
      })
      expect([status, stderr]).toEqual([0, ''])
      const theirs: unknown[] = JSON.parse(JSON.parse(stdout))
      for (const [index, expression] of expressions.entries()) {
        expect([expression, value(`\${${expression}}`)]).toEqual([expression, theirs[index]])
      }
    } finally {
      folder.remove()
    }
  })

  test('are templates, or values where one stands alone', () => {
    const values = { 'aws_x.a-b_1.port': 80, 'data.aws_y.z.name': 'n' }
    expect(value('${aws_x.a-b_1.port}', values)).toBe(80)
    expect(value('${data.aws_y.z.name}:${aws_x.a-b_1.port}', values)).toBe('n:80')
    expect(value('plain')).toBe('plain')
    expect(value('')).toBe('')
    expect(value('$${not}')).toBe('${not}')
  })

  test('name what they refer to, and not what they bind', () => {
    const text =
      '${one([for ami in aws_i.x.output_resources[0].amis : ami.image if ami.region == data.aws_region.r.region])}'
    expect(referencesOf(parseTemplate(text))).toEqual([
      'aws_i.x.output_resources',
      'data.aws_region.r.region',
    ])
    const amis = [
      { image: 'ami-1', region: 'a' },
      { image: 'ami-2', region: 'b' },
    ]
    expect(value(text, { 'aws_i.x.output_resources': [{ amis }], 'data.aws_region.r.region': 'b' })).toBe(
      'ami-2',
    )
  })

  test('read a block that Pulumi has once as the first of its list', () => {
    expect(value('${aws_c.x.endpoint[0].address}', { 'aws_c.x.endpoint': { address: 'host' } })).toBe('host')
  })

  test.each([
    ['${aws_x.y}', /the expression aws_x\.y is a whole resource/],
    ['${nonsense(1)}', /the function nonsense is not known here; there are: base64encode, /],
    ['${aws_x.y[*].id}', /aws_x\.y\[\*\]\.id.*cannot be read at character \d+/],
    ['%{if true}x%{endif}', /directives are not known here/],
    ['${1 +}', /cannot be read at character \d+: expected a value/],
    ['${"open}', /cannot be read at character \d+: expected the end of a string/],
    ['${[1][3]}', /a list of 1 has no element 3/],
    ['${cidrsubnet("10.0.0.0/30", 3, 0)}', /3 bits cannot be added to 10\.0\.0\.0\/30/],
  ])('that are not known are errors which name them: %s', (text, message) => {
    expect(() => {
      const expression = parseTemplate(text)
      referencesOf(expression)
      evaluate(expression, () => undefined)
    }).toThrow(message)
  })

  test('any text is read as it is when its templates are escaped', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const escaped = text.replace(/[$%]\{/g, (start) => `${start[0]}${start}`)
        // "$" before an escaped template is part of the escape in Terraform as well.
        fc.pre(!/[$%][$%]+\{/.test(text))
        expect(value(escaped)).toBe(text)
      }),
    )
  })
})
