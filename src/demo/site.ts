// The demo's own place on the machine: a fresh folder with files, socket and store, free ports, and an environment that
// owes nothing to the user's: no AWS profile, no HOSTLER_ variable, no home folder of theirs.
// Trap: a unix socket's path is at most 107 bytes, so a long TMPDIR falls back to /tmp.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Bytes of a socket path that Linux takes (sun_path is 108 with its end). */
const SOCKET_PATH_BYTES = 107;

export type Site = {
  folder: string;
  socket: string;
  stateDir: string;
  /** MACHINE_STORAGE_PATH. */
  store: string;
  runnerConfig: string;
  hostlerConfig: string;
  /** `127.0.0.1:PORT` for /metrics and probes. */
  listenAddress: string;
  sshPort: number;
  env: Readonly<Record<string, string>>;
  /** Log file of a child. */
  log(name: string): string;
  write(path: string, text: string): void;
  remove(): void;
};

/** Files of this package that the demo starts. */
export const programs = {
  main: fileURLToPath(new URL('../main.ts', import.meta.url)),
  /** As operators start it, with its flags for Node. */
  hostler: fileURLToPath(new URL('../../bin/hostler', import.meta.url)),
  dockerMachine: fileURLToPath(new URL('../../bin/docker-machine', import.meta.url)),
};

/** A port that is free on every address at this moment. Another process may take it before it is used. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '0.0.0.0', () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0));
    });
  });
}

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hostler-demo-'));
  if (Buffer.byteLength(join(folder, 'hostler.sock')) <= SOCKET_PATH_BYTES) return folder;
  rmSync(folder, { recursive: true, force: true });
  return mkdtempSync('/tmp/hostler-demo-');
}

/** Makes the place. `PATH`, `TMPDIR` and the locale are all it takes over from the user's environment. */
export async function makeSite(outer: Readonly<Record<string, string | undefined>>): Promise<Site> {
  const [listenPort, sshPort] = await Promise.all([freePort(), freePort()]);
  const folder = freshFolder();
  const at = (...parts: string[]) => join(folder, ...parts);
  const site = {
    socket: at('hostler.sock'),
    stateDir: at('state'),
    store: at('home', '.docker', 'machine'),
    listenAddress: `127.0.0.1:${listenPort}`,
  };
  mkdirSync(site.store, { recursive: true });
  const kept = ['PATH', 'TMPDIR', 'LANG', 'LC_ALL', 'TZ'].flatMap((name) =>
    outer[name] === undefined ? [] : [[name, outer[name]] as const],
  );
  return {
    ...site,
    folder,
    sshPort,
    runnerConfig: at('gitlab-runner.toml'),
    hostlerConfig: at('hostler.toml'),
    env: {
      ...Object.fromEntries(kept),
      HOME: at('home'),
      HOSTLER_NODE: process.execPath,
      HOSTLER_SOCKET: site.socket,
      HOSTLER_STATE_DIR: site.stateDir,
      HOSTLER_LISTEN_ADDRESS: site.listenAddress,
      MACHINE_STORAGE_PATH: site.store,
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    log: (name) => at(`${name}.log`),
    write: (path, text) => writeFileSync(path, text, { mode: 0o600 }),
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
}
