// Colour for a terminal, and text made safe for one. No colour on a pipe, with NO_COLOR, or on a dumb terminal.
// Trap: texts from EC2, hosts and job pages may hold escape sequences; whatever came from outside goes through `plain`.
import type { CliIo } from './io.ts';

export type Paint = Readonly<Record<'bold' | 'dim' | 'red' | 'yellow' | 'green', (text: string) => string>>;

/** SGR numbers of ECMA-48: on and off. */
const codes = { bold: [1, 22], dim: [2, 22], red: [31, 39], yellow: [33, 39], green: [32, 39] } as const;

/** Painters for this terminal; they give the text back unchanged where colour is not wanted. */
export function createPaint(io: Pick<CliIo, 'env' | 'isTty'>): Paint {
  const isOn = io.isTty && (io.env['NO_COLOR'] ?? '') === '' && io.env['TERM'] !== 'dumb';
  const painter = (name: keyof typeof codes) => (text: string) =>
    isOn && text !== '' ? `\u001b[${codes[name][0]}m${text}\u001b[${codes[name][1]}m` : text;
  return {
    bold: painter('bold'),
    dim: painter('dim'),
    red: painter('red'),
    yellow: painter('yellow'),
    green: painter('green'),
  };
}

/** One line without control characters. */
export function plain(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').trim();
}
