/** A text that Terraform takes literally: in its JSON syntax, "$" or "%" before a brace would begin a template. */
export const literal = (text: string) => text.replace(/[$%]\{/g, (start) => `${start[0]}${start}`)
