type Labels = Readonly<Record<string, string>>

/** Labels as they stand between the braces: for many samples with the same ones, made once. */
export const labelPairs = (labels: Labels): string =>
  Object.entries(labels)
    .map(([label, text]) => `${label}="${escapeLabel(text)}"`)
    .join(',')

const escapeLabel = (text: string): string =>
  /["\\\n]/.test(text)
    ? text.replace(/["\\\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))
    : text

/** Metrics in Prometheus' text format (version 0.0.4). */
export class MetricsText {
  #text = ''

  family(name: string, type: 'counter' | 'gauge' | 'histogram', help: string): void {
    this.#text += `# HELP gatehouse_${name} ${help}\n# TYPE gatehouse_${name} ${type}\n`
  }

  sample(name: string, labels: Labels, value: number): void {
    this.line(name, labelPairs(labels), value)
  }

  /** `pairs`: see labelPairs. */
  line(name: string, pairs: string, value: number): void {
    this.#text += pairs === '' ? `gatehouse_${name} ${value}\n` : `gatehouse_${name}{${pairs}} ${value}\n`
  }

  single(name: string, type: 'counter' | 'gauge', help: string, value: number): void {
    this.family(name, type, help)
    this.line(name, '', value)
  }

  toString(): string {
    return this.#text
  }
}
