// XML as EC2 answers it: elements from plain objects, lists as `<item>`, no attributes but the namespace.
// Trap: null and undefined leave an element out; an empty list leaves an empty element, as EC2 does.

export type XmlValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly XmlValue[]
  | { readonly [name: string]: XmlValue };

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** What XML 1.0 cannot hold as it is: markup is escaped, control characters go (user tags may bring them). */
// oxlint-disable-next-line no-control-regex
const unfit = /[&<>"\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const eachUnfit = new RegExp(unfit, 'g');

/** Nearly all texts are fit, and listings of thousands of instances are written through here: look before replacing. */
const escape = (text: string): string =>
  unfit.test(text) ? text.replaceAll(eachUnfit, (found) => escapes[found] ?? '') : text;

function element(name: string, value: XmlValue): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) {
    let items = '';
    for (const one of value as readonly XmlValue[]) items += element('item', one);
    return `<${name}>${items}</${name}>`;
  }
  if (typeof value === 'object') return `<${name}>${content(value as Record<string, XmlValue>)}</${name}>`;
  return `<${name}>${escape(String(value))}</${name}>`;
}

function content(fields: Readonly<Record<string, XmlValue>>): string {
  let elements = '';
  for (const name of Object.keys(fields)) elements += element(name, fields[name]);
  return elements;
}

const head = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** The answer to a call that went well. */
export function answerXml(
  action: string,
  requestId: string,
  fields: Readonly<Record<string, XmlValue>>,
): string {
  const body = content({ requestId, ...fields });
  return `${head}<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">${body}</${action}Response>`;
}

/** EC2's error document. */
export function errorXml(code: string, message: string, requestId: string): string {
  const error = `<Error>${content({ Code: code, Message: message })}</Error>`;
  return `${head}<Response><Errors>${error}</Errors>${element('RequestID', requestId)}</Response>`;
}
