import {
  type FileProvisioner,
  type LocalExecProvisioner,
  type RemoteExecProvisioner,
  TerraformResource,
} from 'cdktf'
import type { Construct } from 'constructs'

/** A text that Terraform takes literally: in its JSON syntax, "$" or "%" before a brace would begin a template. */
export const literal = (text: string) => text.replace(/[$%]\{/g, (start) => `${start[0]}${start}`)

export interface TerraformDataProps {
  /** Values that are kept in the state; a change of one replaces the resource, and runs its provisioners again. */
  readonly triggersReplace: Readonly<Record<string, string>>
  /** Run in their order. */
  readonly provisioners: readonly (FileProvisioner | LocalExecProvisioner | RemoteExecProvisioner)[]
  /**
   * The one whose provisioners must have succeeded before those of this one run.
   * @default none
   */
  readonly after?: TerraformData | undefined
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
      ...(after && { dependsOn: [after] }),
    })
    this.#triggersReplace = triggersReplace
  }

  protected override synthesizeAttributes() {
    return { triggers_replace: this.#triggersReplace }
  }
}
