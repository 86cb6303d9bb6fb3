import { styleText } from 'node:util'

/* Colours for stdout: left out where that is no terminal, or NO_COLOR is set. */
export const green = (text: string) => styleText('green', text)
export const red = (text: string) => styleText('red', text)
export const dim = (text: string) => styleText('dim', text)
export const bold = (text: string) => styleText('bold', text)
