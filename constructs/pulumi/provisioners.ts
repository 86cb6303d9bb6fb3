import { local, remote } from '@pulumi/command'
import * as pulumi from '@pulumi/pulumi'
import { outputOf } from './output.ts'
import { blocks, isObject, type Json, type JsonObject } from './terraform-json.ts'

export interface ProvisionersProps {
  /** Kept values of terraform_data; a change of one runs all again. */
  readonly triggers: unknown
  /** The blocks `provisioner`, in their order. */
  readonly provisioners: readonly Json[]
  /** For those that have no connection of their own. */
  readonly connection: Json | undefined
  /** Values of arguments, in which expressions may stand. */
  readonly resolve: (value: Json) => unknown
}

type Kind = 'file' | 'remote-exec' | 'local-exec'
type Resolved = Record<string, pulumi.Input<unknown>>

/** What Terraform's provisioners run, as commands of Pulumi one after another. */
export class Provisioners extends pulumi.ComponentResource {
  readonly #triggers: unknown[]

  /** @throws Error when a provisioner or a connection is none that is known here */
  constructor(name: string, props: ProvisionersProps, options: pulumi.ComponentResourceOptions) {
    super('gatehouse:terraform:Provisioners', name, {}, options)
    this.#triggers = [props.triggers]
    let previous: pulumi.Resource | undefined
    for (const [index, { kind, settings, stop }] of commandsOf(props.provisioners).entries()) {
      previous = this.#create(`${name}-${index}`, kind, {
        settings: props.resolve(settings) as Resolved,
        connection: props.resolve(settings.connection ?? props.connection ?? null) as Resolved | null,
        stop: stop && props.resolve(stop),
        options: { parent: this, deleteBeforeReplace: true, ...(previous && { dependsOn: [previous] }) },
      })
    }
    this.registerOutputs({})
  }

  #create(name: string, kind: Kind, { settings, connection, stop, options }: CommandProps): pulumi.Resource {
    const {
      inline,
      command,
      content,
      source,
      destination,
      interpreter,
      environment,
      working_dir: dir,
    } = settings
    const triggers = this.#triggers
    if (kind === 'local-exec') {
      return new local.Command(
        name,
        defined({
          create: command,
          delete: stop,
          interpreter,
          environment,
          dir,
          triggers,
        }) as local.CommandArgs,
        options,
      )
    }
    const access = { connection: connectionOf(name, connection), triggers }
    if (kind === 'file' && content === undefined) {
      const asset = new pulumi.asset.FileAsset(source as string)
      return new remote.CopyToRemote(
        name,
        { ...access, source: asset, remotePath: destination as pulumi.Input<string> },
        options,
      )
    }
    const run =
      kind === 'file'
        ? { create: writeTo(destination), stdin: content }
        : { create: script(inline ?? settings.script) }
    return new remote.Command(name, { ...access, ...run } as unknown as remote.CommandArgs, options)
  }
}

interface CommandProps {
  readonly settings: Resolved
  readonly connection: Resolved | null
  readonly stop: unknown
  readonly options: pulumi.CustomResourceOptions
}

interface Planned {
  readonly kind: Kind
  readonly settings: JsonObject
  /** What to run when it is destroyed. */
  readonly stop: Json | undefined
}

/** Two of one program, of which the second runs when the resource is destroyed, are one command. */
function commandsOf(provisioners: readonly Json[]): Planned[] {
  const all = provisioners.filter(isObject).map((provisioner) => {
    const [kind = '', block] = Object.entries(provisioner)[0] ?? []
    const [settings] = blocks(block)
    if (!['file', 'remote-exec', 'local-exec'].includes(kind) || !isObject(settings)) {
      throw new Error(`the provisioner ${kind} is not known here`)
    }
    return { kind: kind as Kind, settings }
  })
  const stops = all.filter(({ settings }) => settings.when === 'destroy')
  const others = all.filter(({ settings }) => settings.when !== 'destroy')
  const owner = (stop: (typeof all)[number]) => others.find((other) => programOf(other) === programOf(stop))
  const alone = stops.filter((stop) => !owner(stop))
  if (alone.some(({ kind }) => kind !== 'local-exec')) {
    throw new Error('a provisioner that runs at the end is known here as local-exec alone')
  }
  return [
    ...others.map((other) => ({
      ...other,
      stop: stops.find((stop) => owner(stop) === other)?.settings.command,
    })),
    ...alone.map(({ kind, settings: { command = null, ...settings } }) => ({
      kind,
      settings,
      stop: command,
    })),
  ]
}

const programOf = ({
  kind,
  settings: { command: _, when: __, ...program },
}: {
  kind: Kind
  settings: JsonObject
}) => JSON.stringify([kind, program])

const defined = (values: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))

/** A file of the account alone, as scripts may hold secrets; the content comes through stdin. */
const writeTo = (destination: pulumi.Input<unknown> | undefined) =>
  pulumi.interpolate`umask 077 && cat > '${destination as pulumi.Input<string>}'`

const script = (inline: pulumi.Input<unknown> | undefined) =>
  outputOf(inline).apply((lines) => (Array.isArray(lines) ? lines.join('\n') : String(lines)))

/** Seconds between two attempts. */
const attempt = 15

function connectionOf(name: string, connection: Resolved | null): remote.CommandArgs['connection'] {
  if (!connection?.host) throw new Error(`${name}: it has no connection`)
  if (connection.type !== undefined && connection.type !== 'ssh') {
    throw new Error(`${name}: connections are SSH here, got ${String(connection.type)}`)
  }
  const {
    host,
    port,
    user,
    password,
    private_key: privateKey,
    host_key: hostKey,
    agent,
    timeout,
  } = connection
  return defined({
    host,
    port: port ?? 22,
    user: user ?? 'root',
    hostKey,
    password: password && pulumi.secret(password),
    privateKey: privateKey && pulumi.secret(privateKey),
    agentSocketPath: agent === 'true' || agent === true ? process.env.SSH_AUTH_SOCK : undefined,
    perDialTimeout: attempt,
    dialErrorLimit: Math.ceil(secondsOf(String(timeout ?? '5m')) / attempt),
  }) as unknown as remote.CommandArgs['connection']
}

/** `2m30s` → 150. */
function secondsOf(duration: string): number {
  const [, hours = 0, minutes = 0, seconds = 0] = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(duration) ?? []
  return Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)
}
