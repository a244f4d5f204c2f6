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

/** Characters that XML 1.0 cannot hold go; user tags may bring them. */
// oxlint-disable-next-line no-control-regex
const unprintable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

const escape = (text: string): string =>
  text.replaceAll(unprintable, '').replaceAll(/[&<>"]/g, (found) => escapes[found] ?? found);

function element(name: string, value: XmlValue): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) {
    return `<${name}>${(value as readonly XmlValue[]).map((one) => element('item', one)).join('')}</${name}>`;
  }
  if (typeof value === 'object') return `<${name}>${content(value as Record<string, XmlValue>)}</${name}>`;
  return `<${name}>${escape(String(value))}</${name}>`;
}

function content(fields: Readonly<Record<string, XmlValue>>): string {
  return Object.entries(fields)
    .map(([name, value]) => element(name, value))
    .join('');
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
