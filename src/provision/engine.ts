// Makes a Docker host of a booted instance: reach it, run the scripts, see Docker answer over TLS. One connection and
// two scripts on a host that has Docker. Every part may run again, so a run can start anew after a crash of ours.
// Must not decide what becomes of the machine, and must not restart Docker under a job.
// Trap: a script whose link was lost may still run on the host; the next one waits for it there (lock in the frame).
import { isIP } from 'node:net';
import type { PoolSpec } from '../domain/config.ts';
import { messageOf } from '../domain/error.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker, DockerHost } from '../ports/docker.ts';
import type { HostAddress, HostSession, Hosts, RunResult } from '../ports/host.ts';
import type { CertifiedKey, Keys } from '../ports/keys.ts';
import type { Log } from '../ports/log.ts';
import { connectPatiently, type Pace, persist } from './connect.ts';
import { prepareScript, prepullScript, setupScript } from './scripts.ts';
import { EXIT_BUSY, factsOf, wordsOf } from './steps/shell.ts';
import { loginKey } from './user-key.ts';

export type ProvisionDeps = { hosts: Hosts; docker: Docker; keys: Keys; clock: Clock; log: Log };

export type ProvisionOrder = {
  machineId: string;
  address: string;
  spec: PoolSpec;
  /** Host keys that may answer: the bootstrap key, later the host's own. */
  pins: readonly string[];
  /** End of the certificates' validity; dockerd does not read them again. */
  notAfter: EpochMs;
  /** A known instance is taken back: it may hold a job, and it may be ours only by its certificate. */
  adopt: boolean;
  /** How soon a host that does not let us in yet is tried again. */
  pace?: Pace;
  /** A part begins, the first one after SSH let us in. */
  onProgress?: (step: string) => void;
  /** Host keys that may answer from now on: store them before anything else happens (called synchronously). */
  onHostKeys?: (hostKeys: readonly string[]) => void;
};

export type ProvisionResult =
  | { kind: 'ready'; hostKeys: readonly string[]; tls: CertifiedKey }
  /** `fatal`: another try on this host would end the same way. */
  | { kind: 'failed'; step: string; message: string; fatal: boolean };

/** One look whether the host is dressed already, while SSH is being tried. */
const EARLY_PING_MS: DurationMs = SECOND_MS;
/** A TLS answer comes in some ms; a loaded host may take a second. */
const PING_LIMIT_MS: DurationMs = 3 * SECOND_MS;
/** dockerd serves when systemd says so; what fails after this long is between us and the host (security group). */
const PING_PATIENCE_MS: DurationMs = 30 * SECOND_MS;
/** How long an adopted host may take to show that it is ours, before SSH is tried. */
const ADOPT_PATIENCE_MS: DurationMs = 10 * SECOND_MS;
/** sshd restarts within a second; a bootstrap key that is still shown after this is not replaced. */
const ROTATION_PATIENCE_MS: DurationMs = 20 * SECOND_MS;
/** A host whose link breaks this often in the middle of a script is broken. */
const MAX_LINK_LOSSES = 5;
/** Pause before a host with a running job is looked at again. */
const BUSY_PAUSE_MS: DurationMs = 10 * SECOND_MS;

type Failed = Extract<ProvisionResult, { kind: 'failed' }>;
type Material = { ca: string; server: CertifiedKey; client: CertifiedKey; login: { privateKey: string } };
type Run = {
  deps: ProvisionDeps;
  order: ProvisionOrder;
  signal: AbortSignal;
  material: Material;
  docker: DockerHost;
};
type Outcome =
  | { kind: 'dressed'; newKey: string }
  | { kind: 'again'; step: string; why: string; busy: boolean }
  | Failed;

function failed(step: string, message: string, fatal: boolean): Failed {
  return { kind: 'failed', step, message, fatal };
}

async function makeMaterial({ keys }: ProvisionDeps, order: ProvisionOrder): Promise<Material> {
  const { host } = order.spec;
  const sans = [order.address, ...host.tlsSans];
  const [ca, server, client, login] = await Promise.all([
    keys.authority(),
    keys.issueServer({
      name: order.machineId,
      addresses: sans.filter((san) => isIP(san) !== 0),
      names: sans.filter((san) => isIP(san) === 0),
      notAfter: order.notAfter,
    }),
    keys.issueClient({ name: order.machineId, notAfter: order.notAfter }),
    loginKey(keys, host),
  ]);
  return { ca, server, client, login };
}

function sshAddress(run: Run, pins: readonly string[]): HostAddress {
  const { host } = run.order.spec;
  return {
    address: run.order.address,
    port: host.sshPort,
    user: host.sshUser,
    privateKey: run.material.login.privateKey,
    pins,
  };
}

/** True as soon as Docker answers with a certificate of ours; false when `patienceMs` is over. */
async function answersWithin(run: Run, patienceMs: DurationMs): Promise<boolean> {
  const { clock, docker } = run.deps;
  const until = clock.timeout(patienceMs, run.signal);
  const found = await persist(clock, until, async () =>
    (await docker.ping(run.docker, PING_LIMIT_MS)) ? true : null,
  );
  return found ?? false;
}

/** Sorts what a script came to: null when it went well. */
function judge(part: string, result: RunResult): Extract<Outcome, { kind: 'again' }> | Failed | null {
  if (result.code === 0) return null;
  const words = wordsOf(result);
  const at = factsOf(result.stdout).get('step') ?? part;
  if (result.code === null) return { kind: 'again', step: at, why: words, busy: false };
  if (result.code === EXIT_BUSY) return { kind: 'again', step: at, why: words, busy: true };
  return failed(at, words, true);
}

/** The scripts over one session. Host keys are handed out before the host begins to show the new one. */
async function dress(run: Run, session: HostSession): Promise<Outcome> {
  const { deps, order, signal, material } = run;
  const { spec } = order;
  order.onProgress?.('prepare');
  const prepared = await session.run(prepareScript(spec), signal);
  const unprepared = judge('prepare', prepared);
  if (unprepared !== null) return unprepared;
  const facts = factsOf(prepared.stdout);
  const newKey = facts.get('host-key') ?? '';
  if (!/^ssh-ed25519 [A-Za-z0-9+/]{60,100}={0,2}$/.test(newKey))
    return failed('make-host-key', 'the host did not say its new SSH host key', true);
  const errors = facts.get('user-data-errors');
  if (errors !== undefined)
    deps.log.warn('cloud-init ended with errors', { machine: order.machineId, errors });
  order.onHostKeys?.([...order.pins, newKey]);

  order.onProgress?.('setup');
  const { ca, server } = material;
  const script = setupScript({ host: spec.host, driver: spec.machineDriver, ca, ...server });
  const dressed = judge('setup', await session.run(script, signal));
  if (dressed !== null) return dressed;

  if (spec.host.prepull.length > 0) {
    order.onProgress?.('prepull');
    const pulled = await session.run(prepullScript(spec), signal);
    const missing = pulled.code === 0 ? factsOf(pulled.stdout).get('prepull-failed') : wordsOf(pulled);
    if (missing !== undefined)
      deps.log.warn('images were not pulled ahead', { machine: order.machineId, images: missing });
  }
  return { kind: 'dressed', newKey };
}

/** Last proofs from here: Docker answers over TLS, and sshd shows the new key. */
async function check(run: Run, newKey: string): Promise<ProvisionResult> {
  const { deps, order } = run;
  order.onProgress?.('check');
  const [answers, rotated] = await Promise.all([
    answersWithin(run, PING_PATIENCE_MS),
    connectPatiently(deps, sshAddress(run, [newKey]), deps.clock.timeout(ROTATION_PATIENCE_MS, run.signal), {
      graceMs: ROTATION_PATIENCE_MS,
    }),
  ]);
  if (rotated.kind === 'connected') rotated.session.close();
  if (!answers) {
    const place = `${order.address}:${order.spec.host.dockerPort}`;
    return failed(
      'check',
      `dockerd runs, but ${place} gives no verified TLS answer here; is that port open to the manager (security group)?`,
      true,
    );
  }
  if (rotated.kind === 'failed')
    return failed('rotate-host-key', `sshd does not show its new host key: ${rotated.message}`, true);
  return { kind: 'ready', hostKeys: [newKey], tls: run.material.client };
}

/** Connects and dresses until it is done; a lost link or a job on the host means another round. */
async function provisionOverSsh(run: Run): Promise<ProvisionResult> {
  const { deps, order, signal, material } = run;
  const already = order.adopt ? Promise.resolve(false) : deps.docker.ping(run.docker, EARLY_PING_MS);
  let pins = order.pins;
  const onHostKeys = (hostKeys: readonly string[]) => {
    pins = hostKeys;
    order.onHostKeys?.(hostKeys);
  };
  for (let losses = 0; losses < MAX_LINK_LOSSES; ) {
    const pace = order.pace === undefined ? {} : { pace: order.pace };
    const connection = await connectPatiently(deps, sshAddress(run, pins), signal, pace);
    if (connection.kind === 'failed') return failed('connect', connection.message, connection.fatal);
    const { session } = connection;
    if (await already) {
      session.close();
      return { kind: 'ready', hostKeys: pins, tls: material.client };
    }
    const outcome = await dress({ ...run, order: { ...order, pins, onHostKeys } }, session);
    session.close();
    if (outcome.kind === 'dressed') return check(run, outcome.newKey);
    if (outcome.kind === 'failed') return outcome;
    if (signal.aborted) return failed(outcome.step, outcome.why, false);
    const { step, why } = outcome;
    deps.log.warn('provisioning begins again', { machine: order.machineId, step, why });
    if (!outcome.busy) losses += 1;
    else if (await answersWithin(run, BUSY_PAUSE_MS))
      return { kind: 'ready', hostKeys: pins, tls: material.client };
  }
  return failed('connect', `the SSH link broke ${MAX_LINK_LOSSES} times in the middle of a script`, true);
}

/**
 * Provisions one machine until it is ready, has failed, or the signal ends (boot_timeout, or the machine is no longer
 * wanted). Never throws. A host that answers over TLS with our authority is ready as it stands.
 */
export async function provisionMachine(
  deps: ProvisionDeps,
  order: ProvisionOrder,
  signal: AbortSignal,
): Promise<ProvisionResult> {
  try {
    const material = await makeMaterial(deps, order);
    const tls = { ca: material.ca, ...material.client };
    const docker = { address: order.address, port: order.spec.host.dockerPort, tls };
    const run: Run = { deps, order, signal, material, docker };
    if (order.adopt && (await answersWithin(run, ADOPT_PATIENCE_MS)))
      return { kind: 'ready', hostKeys: order.pins, tls: material.client };
    if (order.pins.length === 0) {
      return failed(
        'connect',
        `no host key is known for ${order.address} and Docker there does not answer with a certificate of this manager`,
        true,
      );
    }
    return await provisionOverSsh(run);
  } catch (error) {
    return failed('keys', messageOf(error), false);
  }
}
