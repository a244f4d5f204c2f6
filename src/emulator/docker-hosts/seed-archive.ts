// The tar that brings cloud-init's seed into a host before its first boot. Small files only: plain ustar, one block
// of header each. No compression: the daemon beside us unpacks it at once.

const BLOCK = 512;

export type SeedFile = {
  /** Path without a leading slash, at most 100 bytes. */
  path: string;
  text: string;
};

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;

/** Header of a regular file of root's, mode 0600: user data holds the first SSH host key. */
function header(path: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(path, 0);
  block.write(octal(0o600, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(size, 12), 124);
  block.write(octal(0, 12), 136);
  // The checksum counts its own field as spaces.
  block.write('        ', 148);
  block.write('0', 156);
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** A tar of these files. Throws RangeError for a path that plain ustar cannot hold. */
export function seedArchive(files: readonly SeedFile[]): Buffer {
  const parts = files.flatMap(({ path, text }) => {
    if (Buffer.byteLength(path) > 100) throw new RangeError(`a tar path of more than 100 bytes: ${path}`);
    const body = Buffer.from(text);
    const padding = Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK);
    return [header(path, body.length), body, padding];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}
