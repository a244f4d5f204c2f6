// An image registry that has one image, for hosts that shall really pull: HTTP, the few calls of a pull (manifest, config,
// one layer). It listens on the hosts' own network and ends with the test.
// Must not be needed from outside: hosts are told of it by engine-insecure-registry.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export type Registry = {
  /** `ADDRESS:PORT` */
  at: string;
  /** Manifests handed out, by the asking host's address. */
  pulls: readonly string[];
  close(): Promise<void>;
};

/** What a pull reads, by path behind `/v2/NAME/`. */
function blobsOf(layer: Buffer): { manifest: Buffer; blobs: Map<string, Buffer> } {
  const packed = gzipSync(layer, { level: 1 });
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    }),
  );
  const part = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    size: bytes.length,
    digest: digestOf(bytes),
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: part('application/vnd.docker.container.image.v1+json', config),
      layers: [part('application/vnd.docker.image.rootfs.diff.tar.gzip', packed)],
    }),
  );
  return { manifest, blobs: new Map([config, packed].map((bytes) => [digestOf(bytes), bytes])) };
}

/** Serves an image of this one layer (a tar) under any name and tag. */
export async function startRegistry(address: string, layer: Buffer): Promise<Registry> {
  const { manifest, blobs } = blobsOf(layer);
  const pulls: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const digest = /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(path)?.[1];
    const isManifest = /^\/v2\/[^?]+\/manifests\/[^/]+$/.test(path);
    const body = isManifest ? manifest : digest === undefined ? null : (blobs.get(digest) ?? null);
    if (isManifest && request.method === 'GET') pulls.push(request.socket.remoteAddress ?? '');
    const isRoot = path === '/v2/';
    response.writeHead(isRoot || body !== null ? 200 : 404, {
      'docker-distribution-api-version': 'registry/2.0',
      'content-type': isManifest ? MANIFEST : 'application/octet-stream',
      ...(body === null ? {} : { 'content-length': body.length, 'docker-content-digest': digestOf(body) }),
    });
    response.end(request.method === 'HEAD' || body === null ? undefined : body);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, address, resolve);
  });
  return {
    at: `${address}:${(server.address() as AddressInfo).port}`,
    pulls,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
