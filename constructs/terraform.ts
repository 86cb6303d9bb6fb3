import {
  type FileProvisioner,
  type LocalExecProvisioner,
  type RemoteExecProvisioner,
  type SSHProvisionerConnection,
  TerraformResource,
} from 'cdktf'
import type { Construct } from 'constructs'

/** A text that Terraform takes literally: in its JSON syntax, "$" or "%" before a brace would begin a template. */
export const literal = (text: string) => text.replace(/[$%]\{/g, (start) => `${start[0]}${start}`)

/** What Terraform works out, as a value: `${TEXT}`. */
export const expression = (text: string) => `\${${text}}`

export interface TerraformDataProps {
  /** Values that are kept in the state; a change of one replaces the resource, and runs its provisioners again. */
  readonly triggersReplace: Readonly<Record<string, string>>
  /** Run in their order. */
  readonly provisioners: readonly (FileProvisioner | LocalExecProvisioner | RemoteExecProvisioner)[]
  /**
   * Those whose provisioners must have succeeded before those of this one run.
   * @default none
   */
  readonly after?: readonly TerraformData[]
}

/**
 * The resource terraform_data, built into Terraform since 1.4. In place of cdktf's DataResource, which asks the program
 * terraform for its version at every synthesis, and fails where there is none.
 */
export class TerraformData extends TerraformResource {
  readonly #triggersReplace: TerraformDataProps['triggersReplace']

  constructor(scope: Construct, id: string, { triggersReplace, provisioners, after }: TerraformDataProps) {
    super(scope, id, {
      terraformResourceType: 'terraform_data',
      provisioners: [...provisioners],
      ...(after && after.length > 0 && { dependsOn: [...after] }),
    })
    this.#triggersReplace = triggersReplace
  }

  protected override synthesizeAttributes() {
    return { triggers_replace: this.#triggersReplace }
  }
}

export interface TerraformDataOfEachProps {
  /** What is kept in the state of each, by its key: `self.input` in the connection. */
  readonly each: Readonly<Record<string, Readonly<Record<string, string | number>>>>
  /**
   * Commands that are run on a host when its entry goes, and the connection to it. They may fail: what is gone for good
   * must not keep the rest from going on.
   */
  readonly whenDestroyed: {
    readonly inline: readonly string[]
    readonly connection: SSHProvisionerConnection
  }
  /** Those that must be there before any of these. */
  readonly after: readonly TerraformResource[]
}

/** One terraform_data for each of several things: unlike a resource of its own, it can do something when a thing goes. */
export class TerraformDataOfEach extends TerraformResource {
  constructor(scope: Construct, id: string, { each, whenDestroyed, after }: TerraformDataOfEachProps) {
    super(scope, id, { terraformResourceType: 'terraform_data', dependsOn: [...after] })
    const { inline, connection } = whenDestroyed
    this.addOverride('for_each', each)
    this.addOverride('input', expression('each.value'))
    // cdktf knows no on_failure.
    this.addOverride('provisioner', [
      {
        'remote-exec': {
          when: 'destroy',
          on_failure: 'continue',
          inline,
          connection: Object.fromEntries(
            Object.entries(connection).map(([key, value]) => [
              key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
              value,
            ]),
          ),
        },
      },
    ])
  }
}
