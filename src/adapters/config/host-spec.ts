// Options that say how a host is reached and dressed → HostSpec: `amazonec2-ssh-*`, `engine-*`, `tls-san`, and our
// `prepull` and `wait_user_data`.
// Trap: these texts end up in files on the host; line breaks and control characters are refused here.
import type { HostSpec } from '../../domain/config.ts';
import { absolute } from './expand.ts';
import { shown } from './findings.ts';
import type { MachineOptions } from './machine-options.ts';
import { type Reading, readSmall } from './reading.ts';

/** Docker's port for TLS; docker-machine knows no other. */
const DOCKER_PORT = 2376;

/** Bytes; a private key with its certificate stays far below. */
const MAX_KEY_BYTES = 64 * 1024;

export type HostScope = {
  reading: Reading;
  pool: string;
  folder: string;
  prepull: readonly string[];
  waitUserData: boolean;
};

function wrong({ reading, pool }: HostScope, options: MachineOptions, name: string, said: string): void {
  reading.findings.error('option-value', `${name} ${said}`, options.spot(name), pool);
}

function readTexts(
  scope: HostScope,
  options: MachineOptions,
  name: string,
  rule: { pattern: RegExp; right: string },
): readonly string[] {
  const texts = options.list(name).filter((text) => text !== '');
  for (const text of texts) {
    const isPlain = !/\p{Cc}/u.test(text) && text.length <= 4_096;
    if (!isPlain || !rule.pattern.test(text))
      wrong(scope, options, name, `must be ${rule.right}, is ${shown(text)}`);
  }
  return texts;
}

async function readKeyPath(scope: HostScope, options: MachineOptions): Promise<string | null> {
  const written = options.text('amazonec2-ssh-keypath');
  if (written === null || written === '') return null;
  const path = absolute(written, scope.folder);
  const read = await readSmall(scope.reading, path, MAX_KEY_BYTES);
  if ('problem' in read) {
    wrong(scope, options, 'amazonec2-ssh-keypath', `names a key that is of no use: ${read.problem}`);
  } else if (!/PRIVATE KEY/.test(read.bytes.toString('latin1'))) {
    wrong(scope, options, 'amazonec2-ssh-keypath', `names ${path}, which holds no private key`);
  }
  return path;
}

function readInstallUrl(scope: HostScope, options: MachineOptions): string {
  const name = 'engine-install-url';
  const url = options.text(name);
  if (url === null || url === '') return 'https://get.docker.com';
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    wrong(scope, options, name, `must be an http or https address, is ${shown(url)}`);
  }
  return url;
}

/** Reads what a host needs beside its launch. */
export async function readHostSpec(scope: HostScope, options: MachineOptions): Promise<HostSpec> {
  const texts = (name: string, pattern: RegExp, right: string) =>
    readTexts(scope, options, name, { pattern, right });
  const sshUser = options.text('amazonec2-ssh-user');
  if (sshUser !== null && sshUser !== '' && !/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(sshUser)) {
    wrong(scope, options, 'amazonec2-ssh-user', `must be a user name, is ${shown(sshUser)}`);
  }
  const driver = options.text('engine-storage-driver');
  if (driver !== null && driver !== '' && !/^[a-z0-9-]{1,32}$/.test(driver)) {
    wrong(scope, options, 'engine-storage-driver', `must be a driver such as overlay2, is ${shown(driver)}`);
  }
  return {
    sshUser: sshUser === null || sshUser === '' ? 'ubuntu' : sshUser,
    sshPort: options.whole('amazonec2-ssh-port', 22, { low: 1, high: 65_535 }),
    sshKeyPath: await readKeyPath(scope, options),
    dockerPort: DOCKER_PORT,
    engineInstallUrl: readInstallUrl(scope, options),
    engineOptions: texts(
      'engine-opt',
      /^[A-Za-z0-9][^\s=]*(=.*)?$/,
      'a dockerd option without dashes, such as log-driver=journald',
    ),
    engineEnv: texts('engine-env', /^[A-Za-z_][A-Za-z0-9_]*=.*$/, 'NAME=VALUE'),
    engineLabels: texts('engine-label', /^[^\s=]+(=.*)?$/, 'KEY=VALUE'),
    engineRegistryMirrors: texts('engine-registry-mirror', /^https?:\/\/\S+$/, 'an http or https address'),
    engineInsecureRegistries: texts(
      'engine-insecure-registry',
      /^\S+$/,
      'HOST, HOST:PORT or a network such as 10.0.0.0/8',
    ),
    engineStorageDriver: driver === '' ? null : driver,
    tlsSans: texts('tls-san', /^[A-Za-z0-9.*:-]+$/, 'a host name or an address'),
    prepull: scope.prepull,
    waitUserData: scope.waitUserData,
  };
}
