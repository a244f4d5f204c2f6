// What cloud-init would take from user data as far as SSH is concerned: host key and authorized keys of its cloud-config
// parts. Reads the MIME message as cloud-init does (nested parts, base64), and only the keys it looks for in the YAML.
// Must not run anything: user scripts have no effect on an emulated host.

export type BootIdentity = {
  /** OpenSSH private key text, or null when the user data brings none. */
  hostKey: string | null;
  /** Base64 fields of the authorized public keys. */
  authorizedKeys: readonly string[];
};

type Part = { type: string; body: string };

/** Deeper nesting than cloud-init messages ever have. */
const MAX_DEPTH = 5;

function splitHead(text: string): { head: Map<string, string>; body: string } {
  const end = /\r?\n\r?\n/.exec(text);
  const headText = end === null ? text : text.slice(0, end.index);
  const unfolded = headText.replaceAll(/\r?\n[ \t]+/g, ' ');
  const head = new Map(
    unfolded
      .split(/\r?\n/)
      .map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ]),
  );
  return { head, body: end === null ? '' : text.slice(end.index + end[0].length) };
}

function partsOf(text: string, depth: number): Part[] {
  const { head, body } = splitHead(text);
  const type = head.get('content-type') ?? 'text/plain';
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1];
  if (!/^multipart\//i.test(type) || boundary === undefined) {
    const encoded = /base64/i.test(head.get('content-transfer-encoding') ?? '');
    return [
      {
        type: (type.split(';')[0] ?? '').trim().toLowerCase(),
        body: encoded ? Buffer.from(body, 'base64').toString() : body,
      },
    ];
  }
  if (depth >= MAX_DEPTH) return [];
  return body
    .split(/\r?\n/)
    .reduce<string[][]>((pieces, line) => {
      if (line === `--${boundary}` || line === `--${boundary}--`) pieces.push([]);
      else pieces.at(-1)?.push(line);
      return pieces;
    }, [])
    .filter((lines) => lines.some((line) => line !== ''))
    .flatMap((lines) => partsOf(lines.join('\n'), depth + 1));
}

/** All leaf parts of user data; a file that is not MIME is one part. */
export function userDataParts(text: string): Part[] {
  if (/^(content-type:[ \t]*multipart\/|mime-version:)/i.test(text)) return partsOf(text, 0);
  return [
    { type: text.startsWith('#cloud-config') ? 'text/cloud-config' : 'text/x-shellscript', body: text },
  ];
}

/** The text of a YAML block scalar `key: |`, without its indentation. */
function blockOf(yaml: string, key: string): string | null {
  const found = new RegExp(`^[ \\t]+${key}:[ \\t]*\\|[ \\t]*\\n((?:[ \\t]+.*\\n?)+)`, 'm').exec(yaml);
  const lines = found?.[1]?.split('\n') ?? [];
  const indent = /^[ \t]*/.exec(lines[0] ?? '')?.[0] ?? '';
  const own = lines.slice(
    0,
    lines.findLastIndex((line) => line.startsWith(indent) && line.trim() !== '') + 1,
  );
  return own.length === 0 ? null : `${own.map((line) => line.slice(indent.length)).join('\n')}\n`;
}

/** Later parts win for the host key, keys of all parts may log in. */
export function bootIdentity(userData: string): BootIdentity {
  const configs = userDataParts(userData).filter((part) => part.type === 'text/cloud-config');
  const hostKeys = configs.flatMap(({ body }) => blockOf(body, 'ed25519_private') ?? []);
  const authorizedKeys = configs.flatMap(({ body }) =>
    [...body.matchAll(/^[ \t]*-[ \t]*["']?(?:ssh|ecdsa)-\S+[ \t]+([A-Za-z0-9+/=]+)/gm)].map(
      (match) => match[1] ?? '',
    ),
  );
  return { hostKey: hostKeys.at(-1) ?? null, authorizedKeys };
}
