import type { Command } from 'commander'

/** A text in which roff finds no request, no escape, and no hyphen that may become a dash. */
const roff = (text: string) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&')

const literal = (text: string) => `.nf\n${roff(text.trim())}\n.fi\n`

interface Page {
  readonly name: string
  readonly section: 1 | 8
  readonly version: string
  /** Seconds since 1970. */
  readonly time: number
  /** What it is for, in a line. */
  readonly summary: string
}

const head = ({ name, section, version, time, summary }: Page) => {
  const date = new Date(time * 1_000).toISOString().slice(0, 10)
  return `.TH ${name.toUpperCase().replaceAll('-', '\\-')} ${section} "${date}" "Gatehouse ${version}"
.SH NAME
${roff(name)} \\- ${roff(summary)}
`
}

/** The manual page of a program that shows its help as one text. */
export const manPageOfHelp = (page: Page, help: string): string =>
  `${head(page)}.SH SYNOPSIS AND OPTIONS\n${literal(help)}`

/** The manual page of a command line: every command with the options that its help shows. */
export const manPageOfCommands = (page: Page, program: Command): string =>
  [
    head(page),
    `.SH SYNOPSIS\n${literal(`${program.name()} ${program.usage()}`)}`,
    `.SH DESCRIPTION\n${roff(program.description())}\n`,
    `.SH OPTIONS\n${options(program)}`,
    `.SH COMMANDS\n${commandsBelow(program, '').map(describeCommand).join('')}`,
  ].join('')

interface NamedCommand {
  /** `routes add`. */
  readonly path: string
  readonly command: Command
}

/** All commands below one, each under its full name. */
function commandsBelow(command: Command, path: string): NamedCommand[] {
  return command.commands.flatMap((child) => {
    const named = { path: `${path}${child.name()}`, command: child }
    return [named, ...commandsBelow(child, `${named.path} `)]
  })
}

function describeCommand({ path, command }: NamedCommand): string {
  if (command.commands.length > 0) return `.SS ${roff(path)}\n${roff(command.description())}\n`
  const synopsis = `${path} ${command.usage()}`
  return `.SS ${roff(path)}\n${roff(command.description())}\n${literal(synopsis)}${options(command)}`
}

const options = (command: Command) =>
  command
    .createHelp()
    .visibleOptions(command)
    .map(
      (option) => `.TP\n.B ${roff(option.flags)}\n${roff(command.createHelp().optionDescription(option))}\n`,
    )
    .join('')
