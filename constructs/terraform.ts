/** A text that Terraform takes literally: in its JSON syntax, `${` and `%{` would begin a template. */
export const literal = (text: string) => text.replaceAll('${', '$${').replaceAll('%{', '%%{')
