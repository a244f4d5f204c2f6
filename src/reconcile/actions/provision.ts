// Provisioning as background work: started once a machine, followed to `ready` or to its end.
// Trap: the machine may be retired meanwhile; every step back into the store reads the row again.
import { HostlerError, messageOf } from '../../domain/error.ts';
import { isComing, type Machine, moveMachine } from '../../domain/machine.ts';
import type { ReasonCode } from '../../domain/reason.ts';
import { type DurationMs, HOUR_MS, SECOND_MS } from '../../domain/units.ts';
import type { MachineTls } from '../../ports/store.ts';
import { bootPause, usualBoot } from '../../provision/boot-pace.ts';
import type { Pace } from '../../provision/connect.ts';
import { provisionMachine } from '../../provision/engine.ts';
import type { ActDeps } from '../act-deps.ts';
import { clearBootEnds } from './settle-launch.ts';
import { retireMachine } from './terminate.ts';

/** Certificates outlive the machine by this much: dockerd does not read them again (design §8). */
const CERTIFICATE_SPARE_MS: DurationMs = 24 * HOUR_MS;
/** GetConsoleOutput is asked once for a failed boot. */
const CONSOLE_LIMIT_MS: DurationMs = 20 * SECOND_MS;
/** Characters of the console's end that are kept with the event. */
const CONSOLE_KEPT = 4_000;

/** Machine id → the way to stop its provisioning, and where it was when that came: `step: words`, null when it is ready. */
export type ProvisionsUnderWay = Map<string, { abort(): void; words: Promise<string | null> }>;

/** Starts provisioning unless it runs already. */
export function startProvision(deps: ActDeps, underWay: ProvisionsUnderWay, id: string): void {
  if (underWay.has(id) || deps.stop.aborted) return;
  const control = new AbortController();
  const signal = AbortSignal.any([deps.stop, control.signal]);
  const work = provision(deps, id, { signal, crowd: () => underWay.size }).catch((error: unknown) => {
    if (!isUnwritable(error)) throw error;
    awaitState(deps, id);
    return messageOf(error);
  });
  underWay.set(id, { abort: () => control.abort(), words: work.catch(() => null) });
  deps.track(work.then(() => undefined).finally(() => underWay.delete(id)));
}

function isUnwritable(error: unknown): boolean {
  return error instanceof HostlerError && error.code === 'state-unwritable';
}

/** Our own disk took nothing, which is not the host's fault: it is provisioned again when the loop goes on. */
function awaitState(deps: ActDeps, id: string): void {
  update(deps, id, (machine) =>
    machine.phase === 'provisioning' ? moveMachine(machine, 'booting', deps.clock.now()) : machine,
  );
}

/** How soon it is tried again: by its age and its pool's boots. A clock that was set only makes it quicker or slower. */
function paceOf({ store, clock }: ActDeps, { pool, createdAt }: Machine, crowd: () => number): Pace {
  const usual = usualBoot(store.boots(pool));
  const bornAt = clock.monotonic() - Math.max(0, clock.now() - createdAt);
  return (pause) => bootPause(pause, { ageMs: clock.monotonic() - bornAt, usual, crowd: crowd() });
}

async function provision(
  deps: ActDeps,
  id: string,
  { signal, crowd }: { signal: AbortSignal; crowd(): number },
): Promise<string | null> {
  const { store, clock } = deps;
  const machine = store.machine(id);
  const spec = machine === null ? null : deps.config.pool(machine.pool);
  if (machine === null || machine.address === null || spec === null) return null;
  if (machine.phase !== 'booting' && machine.phase !== 'provisioning') return null;
  const startedAt = clock.monotonic();
  const answer = await provisionMachine(
    {
      hosts: deps.hosts,
      docker: deps.docker,
      keys: deps.keys,
      clock,
      log: deps.log.child({ machine: id, pool: machine.pool }),
    },
    {
      machineId: id,
      address: machine.address,
      spec,
      pins: machine.hostKeys,
      notAfter: clock.now() + spec.maxMachineLifeMs + CERTIFICATE_SPARE_MS,
      adopt: machine.hostKeys.length === 0,
      pace: paceOf(deps, machine, crowd),
      onProgress: () => enterProvisioning(deps, id),
      // Durable: a host that shows a key which we do not know is lost to us.
      onHostKeys: (hostKeys) =>
        store.transaction(() => update(deps, id, (current) => ({ ...current, hostKeys }))),
    },
    signal,
  );
  const words = answer.kind === 'ready' ? null : `${answer.step}: ${answer.message}`;
  if (signal.aborted) return words;
  if (answer.kind === 'ready') {
    const tls = { ...answer.tls, ca: await deps.keys.authority() };
    let isHeld: boolean;
    try {
      isHeld = await relearn(deps, id, tls);
    } catch (error) {
      // Whose it is cannot be told now: it is asked again until boot_timeout, and handed to nobody meanwhile.
      const failure = `its holder cannot be found out: ${messageOf(error)}`;
      update(deps, id, (current) => ({ ...current, failure }));
      return failure;
    }
    if (!isHeld) becomeReady(deps, id, { ...answer, tls });
    deps.metrics.provisioned(machine.pool, clock.monotonic() - startedAt);
    return null;
  }
  if (store.trouble() !== null) {
    awaitState(deps, id);
    return words;
  }
  if (machine.hostKeys.length > 0)
    await endFailedBoot(deps, id, 'provision-failed', `${answer.step}: ${answer.message}`);
  else if (!(await relearnSilent(deps, id, spec.maxMachineLifeMs)))
    // It may run a job that only its Docker could tell of: it is asked again until boot_timeout.
    update(deps, id, (current) => ({ ...current, failure: answer.message }));
  return words;
}

/** A host that was taken back and says nothing belongs to the folder that names it, if there is one. */
async function relearnSilent(deps: ActDeps, id: string, lifeMs: DurationMs): Promise<boolean> {
  const { keys, clock } = deps;
  const notAfter = clock.now() + lifeMs + CERTIFICATE_SPARE_MS;
  const [client, ca] = await Promise.all([keys.issueClient({ name: id, notAfter }), keys.authority()]);
  return relearn(deps, id, { ...client, ca }).catch(() => false);
}

/** An adopted host that somebody holds goes back to its lease. False when it is free. */
async function relearn(deps: ActDeps, id: string, tls: MachineTls): Promise<boolean> {
  const { store, clock, journal } = deps;
  if (store.machine(id)?.hostKeys.length !== 0) return false;
  store.putMachineTls(id, tls);
  const lease = await deps.holderOf(id);
  if (lease === null) return false;
  const now = clock.now();
  enterProvisioning(deps, id);
  store.transaction(() => {
    const machine = store.machine(id);
    if (machine === null || machine.phase !== 'provisioning') return;
    const ready = moveMachine({ ...machine, readyAt: now, idleSince: now }, 'ready', now);
    store.putMachine({ ...moveMachine(ready, 'leased', now), lease: lease.name });
    store.putLease(lease);
  });
  journal({
    code: 'lease-relearned',
    pool: lease.pool,
    machine: id,
    lease: lease.name,
    detail: { jobs: lease.jobs.length },
  });
  return true;
}

function update(deps: ActDeps, id: string, change: (machine: Machine) => Machine): void {
  const machine = deps.store.machine(id);
  if (machine !== null && machine.phase !== 'gone') deps.store.putMachine(change(machine));
}

function enterProvisioning(deps: ActDeps, id: string): void {
  update(deps, id, (machine) =>
    machine.phase === 'booting' ? moveMachine(machine, 'provisioning', deps.clock.now()) : machine,
  );
}

function becomeReady(
  deps: ActDeps,
  id: string,
  made: { hostKeys: readonly string[]; tls: MachineTls },
): void {
  const { store, clock } = deps;
  const now = clock.now();
  enterProvisioning(deps, id);
  const ready = store.transaction(() => {
    const machine = store.machine(id);
    if (machine === null || machine.phase !== 'provisioning') return null;
    const dressed = {
      ...machine,
      hostKeys: made.hostKeys,
      readyAt: machine.readyAt ?? now,
      idleSince: now,
      failedPings: 0,
      failure: null,
    };
    const next = moveMachine(dressed, 'ready', now);
    store.putMachine(next);
    store.putMachineTls(id, made.tls);
    return next;
  });
  if (ready === null) return;
  countBoot(deps, ready, now - ready.createdAt);
  clearBootEnds(deps, ready);
  deps.grantReady(ready.pool);
  const detail = { boot_ms: now - ready.createdAt, instance: ready.instance, address: ready.address };
  deps.journal({ code: 'became-ready', pool: ready.pool, machine: id, detail });
  deps.nudge();
}

/**
 * Remembers how long a boot took. An adopted host, or one that came up while the daemon was away, is older than any
 * boot: counted as one, its age would have periods begin hours early.
 */
function countBoot(deps: ActDeps, ready: Machine, bootMs: DurationMs): void {
  const longest = deps.config.pool(ready.pool)?.bootTimeoutMs ?? 0;
  if (ready.readyAt !== ready.since || bootMs < 0 || (longest > 0 && bootMs > longest)) return;
  deps.store.addBoot(ready.pool, bootMs);
  deps.metrics.booted(ready.pool, bootMs);
}

/** Keeps what a failed boot came to and what its console said, then retires the machine. */
export async function endFailedBoot(
  deps: ActDeps,
  id: string,
  code: ReasonCode,
  failure: string,
): Promise<void> {
  const machine = deps.store.machine(id);
  // A failure and the end of boot_timeout may come together; one of them is enough.
  if (machine === null || !isComing(machine)) return;
  deps.store.putMachine({ ...machine, failure });
  const site = deps.site(machine.site);
  if (site !== null && machine.instance !== null) {
    const console = await deps.cloud.consoleOutput(
      site,
      machine.instance,
      deps.clock.timeout(CONSOLE_LIMIT_MS, deps.stop),
    );
    const text =
      console === null
        ? `${failure}; EC2 has no console output`
        : `${failure}; console: ${console.slice(-CONSOLE_KEPT)}`;
    deps.journal({
      code,
      pool: machine.pool,
      machine: id,
      level: 'warn',
      text,
      detail: { instance: machine.instance },
    });
  }
  retireMachine(deps, id, {
    code,
    pool: machine.pool,
    machine: id,
    detail: { failure: failure.slice(0, 200) },
  });
  deps.nudge();
}
