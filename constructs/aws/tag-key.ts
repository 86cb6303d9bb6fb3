/**
 * Whether instances can have a tag: nodes read theirs from the instance metadata, which know no spaces and slashes.
 * Source: EC2 User Guide, "Enable access to tags in instance metadata".
 */
export const isTagKey = (key: string) => /^(?!aws:)[A-Za-z0-9+\-=.,_:@]{1,128}$/.test(key)

export const tagKeyRule = '1 to 128 letters, digits and "+-=.,_:@" that does not begin with "aws:"'
