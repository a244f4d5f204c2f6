// The only place that ends instances. A machine is ended in two steps: its row says so first, then EC2 is asked.
// Trap: `retire` asks again, in its transaction, whether somebody holds the machine; the plan may be a moment old.
import { outcomeOfBootEnd } from '../../domain/boot-end.ts';
import { isBusy, jobOn } from '../../domain/lease.ts';
import { canRetire, type Machine, moveMachine } from '../../domain/machine.ts';
import type { OutcomeKind } from '../../domain/outcome.ts';
import type { Reason } from '../../domain/reason.ts';
import { describeReason, type ReasonCode } from '../../domain/reason.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { ActDeps } from '../act-deps.ts';
import { rest } from './settle-launch.ts';

/** TerminateInstances answers within seconds. */
const TERMINATE_LIMIT_MS: DurationMs = 30 * SECOND_MS;

/** Puts a machine that nobody holds on its way out. False when somebody holds it after all. */
export function retireMachine(deps: ActDeps, id: string, reason: Reason): boolean {
  const { store, clock } = deps;
  const ended = store.transaction(() => {
    const machine = store.machine(id);
    if (machine === null || !canRetire(machine) || machine.cleaning) return null;
    const moved = moveMachine(
      { ...machine, ending: machine.ending ?? reason.code },
      'terminating',
      clock.now(),
    );
    // While the launch is unanswered its instance may come yet: the row waits for it, to end it.
    const mayCome = machine.instance === null && store.launch(machine.launch)?.state === 'intended';
    const isOver = machine.instance === null && !mayCome;
    const next = isOver ? moveMachine(moved, 'gone', clock.now()) : moved;
    store.putMachine(next);
    return next;
  });
  if (ended === null) return false;
  if (ended.address !== null) deps.docker.forget(ended.address);
  deps.metrics.ended(ended.pool, reason.code);
  deps.journal({
    code: reason.code,
    pool: ended.pool,
    machine: id,
    text: describeReason(reason),
    detail: { instance: ended.instance },
  });
  return true;
}

/** Marks a machine so that it is not handed out again; it ends when its lease does. */
export function drainMachine(deps: ActDeps, id: string, reason: Reason): void {
  const marked = deps.store.transaction(() => {
    const machine = deps.store.machine(id);
    if (machine === null || machine.ending !== null) return null;
    deps.store.putMachine({ ...machine, ending: reason.code });
    return machine;
  });
  if (marked === null) return;
  deps.journal({
    code: reason.code,
    pool: marked.pool,
    machine: id,
    text: `${describeReason(reason)}; ends when its lease does`,
  });
}

/** Names the job that went with its host, as long as the lease that knows it stands. */
function tellLostJob(deps: ActDeps, { id, pool, instance }: Machine, name: string): void {
  const lease = deps.store.lease(name);
  if (lease === null || !isBusy(lease, deps.clock.now())) return;
  const job = lease.containers > 0 ? (lease.jobs.at(-1) ?? null) : null;
  deps.journal({
    code: 'job-lost',
    pool,
    machine: id,
    lease: name,
    level: 'warn',
    text: `${jobOn(lease)} was lost with ${instance ?? id}`,
    detail: { job: job?.id ?? null, url: job?.url ?? null, instance },
  });
}

/** An instance that EC2 ended while it started: the next one would end the same way. */
function restAfterBootEnd(deps: ActDeps, machine: Machine, { detail }: Reason): void {
  const { site, pool, offering, readyAt, createdAt } = machine;
  const outcome = readyAt === null ? outcomeOfBootEnd(detail?.['why']) : null;
  if (outcome !== null) rest(deps, { site, pool, place: offering, askedAt: createdAt }, outcome);
}

/** EC2 shows that it is over (or there never was anything). */
export function buryMachine(deps: ActDeps, id: string, reason: Reason): void {
  const { store, clock } = deps;
  const buried = store.transaction(() => {
    const machine = store.machine(id);
    if (machine === null || machine.phase === 'gone') return null;
    const next = { ...moveMachine(machine, 'gone', clock.now()), ending: machine.ending ?? reason.code };
    store.putMachine(next);
    return { before: machine, after: next };
  });
  if (buried === null) return;
  const { before, after } = buried;
  if (after.address !== null) deps.docker.forget(after.address);
  restAfterBootEnd(deps, before, reason);
  const wanted = before.phase !== 'terminating';
  if (wanted) deps.metrics.ended(after.pool, reason.code);
  deps.journal({
    code: reason.code,
    pool: after.pool,
    machine: id,
    lease: before.lease,
    level: wanted ? 'warn' : 'debug',
    text: describeReason(reason),
    detail: { instance: after.instance },
  });
  if (before.lease === null) return;
  tellLostJob(deps, before, before.lease);
  deps.loseHost(before.lease, describeReason(reason));
}

/** What will be no other in a moment. Throttled and lost calls are simply sent again. */
const REFUSES: ReadonlySet<OutcomeKind> = new Set(['protected', 'denied', 'invalid']);

/** One batch of terminations for one site; what fails is asked again by a later plan. */
export async function terminateMachines(
  deps: ActDeps,
  siteKey: string,
  ids: readonly string[],
): Promise<void> {
  const { store, clock } = deps;
  const site = deps.site(siteKey);
  if (site === null) {
    deps.log.error('a site is no longer configured: its instances cannot be ended', {
      site: siteKey,
      machines: ids.length,
    });
    return;
  }
  const byInstance = new Map<string, string>();
  store.transaction(() => {
    for (const id of ids) {
      const machine = store.machine(id);
      if (machine === null || machine.phase !== 'terminating' || machine.instance === null) continue;
      store.putMachine({ ...machine, endAskedAt: clock.now() });
      byInstance.set(machine.instance, id);
    }
  });
  if (byInstance.size === 0) return;
  const answers = await deps.cloud.terminate(
    site,
    [...byInstance.keys()],
    clock.timeout(TERMINATE_LIMIT_MS, deps.stop),
  );
  for (const answer of answers) {
    const machine = store.machine(byInstance.get(answer.instance) ?? '');
    if (machine === null || machine.phase !== 'terminating') continue;
    const accepted = answer.kind === 'accepted' || answer.outcome.kind === 'not-found';
    if (accepted) store.putMachine({ ...machine, endAccepted: true });
    else {
      const text = `${answer.outcome.code}: ${answer.outcome.message}`;
      const endRefused = REFUSES.has(answer.outcome.kind) || machine.endRefused === true;
      store.putMachine({ ...machine, failure: text, endRefused });
      deps.journal({
        code: 'terminate-failed',
        pool: machine.pool,
        machine: machine.id,
        level: 'warn',
        text,
      });
    }
  }
  if (answers.some((answer) => answer.kind === 'accepted')) {
    const accepted = answers.filter((answer) => answer.kind === 'accepted').length;
    deps.log.info('terminated', { site: siteKey, accepted, asked: byInstance.size });
  }
}

/** An instance of ours without a record ends. It has no row to say why, so the history says it before EC2 is asked. */
export async function endOrphan(
  deps: ActDeps,
  siteKey: string,
  instance: string,
  code: ReasonCode,
): Promise<void> {
  const site = deps.site(siteKey);
  if (site === null) return;
  const level = 'warn' as const;
  deps.journal({ code, level, text: `orphan ${instance} is ended`, detail: { instance } });
  const [answer] = await deps.cloud.terminate(
    site,
    [instance],
    deps.clock.timeout(TERMINATE_LIMIT_MS, deps.stop),
  );
  if (answer?.kind !== 'failed') return;
  const text = `${answer.outcome.code}: ${answer.outcome.message}`;
  deps.journal({ code: 'terminate-failed', level, text, detail: { instance } });
}
