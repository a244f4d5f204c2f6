// A small reader for the XML that EC2 answers with: elements and text, no attributes, no DTD. It exists because the
// SDK's own parsing of a page of 1,000 instances holds the thread for a fifth of a second; this takes some 30 ms,
// and runs in a worker without the SDK. Not a general XML reader.
// A list is handed over item by item, so that a page of thousands never stands in memory as a tree.
// Trap: anything but one whole well-formed document throws, so that a cut answer never reads as a short one.

/** One element. `text` is its own character data, only meaningful when it has no children. */
export type XmlElement = { name: string; text: string; children: XmlElement[] };

/** Levels; EC2's answers use about ten. */
const MAX_DEPTH = 64;

const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** Takes over an element of that place (`Root/list/item`) as soon as it is whole; it is then dropped from the tree. */
export type TakeOver = { place: string; take(element: XmlElement): void };

type Reading = { source: string; open: XmlElement[]; over: TakeOver | undefined };

/**
 * Reads a document and returns its root. Throws a plain Error that says what is wrong and at which character, also after
 * elements were taken over.
 */
export function parseXml(source: string, over?: TakeOver): XmlElement {
  const top: XmlElement = { name: '', text: '', children: [] };
  const open: XmlElement[] = [top];
  const reading: Reading = { source, open, over };
  let at = 0;
  while (at < source.length) {
    const next = source.indexOf('<', at);
    const current = open.at(-1) ?? top;
    const text = source.slice(at, next === -1 ? source.length : next);
    if (current === top && text.trim() !== '' && text !== '\uFEFF') throw broken('text outside the root', at);
    if (text !== '') current.text += decode(text);
    if (next === -1) break;
    at = readMarkup(reading, next);
  }
  if (open.length !== 1) throw broken(`<${open.at(-1)?.name ?? ''}> is not closed`, source.length);
  const [root, second] = top.children;
  if (root === undefined || second !== undefined) throw broken('not exactly one root', source.length);
  return root;
}

/** The first child with that name. */
export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child) => child.name === name);
}

/** The text of the first child with that name; null when it is absent or empty. */
export function textOf(element: XmlElement, name: string): string | null {
  return childOf(element, name)?.text || null;
}

const BANG = 0x21;
const SLASH = 0x2f;
const QUESTION = 0x3f;

/** Reads one `<…>` that begins at `from`, updates the open elements, and returns where to go on. */
function readMarkup(reading: Reading, from: number): number {
  const { source, open } = reading;
  const current = open.at(-1);
  if (current === undefined) throw broken('no open element', from);
  const mark = source.charCodeAt(from + 1);
  if (mark === QUESTION) return after(source, '?>', from);
  if (mark === BANG) return readBang(source, from, current);
  const end = after(source, '>', from);
  if (mark === SLASH) {
    if (source.slice(from + 2, end - 1).trim() !== current.name || open.length === 1)
      throw broken('a closing tag without its opening tag', from);
    handOver(reading);
    open.pop();
    return end;
  }
  const closed = source.charCodeAt(end - 2) === SLASH;
  const inner = source.slice(from + 1, closed ? end - 2 : end - 1);
  const space = inner.search(/\s/);
  const name = space === -1 ? inner : inner.slice(0, space);
  if (!/^[A-Za-z_][\w.:-]*$/.test(name)) throw broken('a tag without a name', from);
  const element: XmlElement = { name, text: '', children: [] };
  current.children.push(element);
  if (!closed) open.push(element);
  if (open.length > MAX_DEPTH) throw broken('too deep', from);
  return end;
}

/** Called with the element whose end was just read on top. */
function handOver({ open, over }: Reading): void {
  if (over === undefined || open.length !== over.place.split('/').length + 1) return;
  const parent = open.at(-2);
  const element = open.at(-1);
  if (parent === undefined || element === undefined) return;
  const place = open
    .slice(1)
    .map(({ name }) => name)
    .join('/');
  if (place !== over.place) return;
  over.take(element);
  parent.children.pop();
}

/** Comments and CDATA; document types have no place in an answer of EC2. */
function readBang(source: string, from: number, current: XmlElement): number {
  if (source.startsWith('<!--', from)) return after(source, '-->', from);
  if (!source.startsWith('<![CDATA[', from)) throw broken('a document type', from);
  const end = after(source, ']]>', from);
  current.text += source.slice(from + 9, end - 3);
  return end;
}

function after(source: string, mark: string, from: number): number {
  const found = source.indexOf(mark, from);
  if (found === -1) throw broken('cut off', from);
  return found + mark.length;
}

function decode(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(/&(#x?[0-9a-fA-F]+|\w+);/g, (whole, entity: string) => {
    if (!entity.startsWith('#')) return named[entity] ?? whole;
    const point = entity.startsWith('#x') ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1));
    return Number.isInteger(point) && point <= 0x10_ff_ff ? String.fromCodePoint(point) : whole;
  });
}

function broken(what: string, at: number): Error {
  return new Error(`not readable as XML: ${what} at character ${at}`);
}
