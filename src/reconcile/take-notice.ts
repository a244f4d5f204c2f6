// What a notice about an instance comes to: its machine gets no new lease at once and is ended when idle, its offering is
// marked, the runner's folder of a machine that is merely held says so, and what runs on it is named while it can be.
// Must not end a machine with a job: it is left to finish while it lives.
// Trap: notices come twice and from several sources; only the first one of a kind may be told.
import { isBusy, jobOn, type Lease, untilBadWord } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import type { Notice } from '../domain/notice.ts';
import type { ReasonCode } from '../domain/reason.ts';
import { markOf, restAfter, restKeyOf } from '../planner/rest.ts';
import type { RunnerStore } from '../ports/runner-store.ts';
import type { ActDeps } from './act-deps.ts';

export type NoticeDeps = ActDeps & { runnerStore: RunnerStore };

/** Takes places where EC2 takes machines back behind the others for a while. */
function markOffering(deps: ActDeps, { site, pool, offering }: Machine, code: string): void {
  const { store, clock, random } = deps;
  const outcome = {
    kind: 'interrupted' as const,
    scope: 'offering' as const,
    code,
    message: 'EC2 took a machine of this offering back',
  };
  // A mark of its own beside the offering's breaker: it closes nothing.
  const key = markOf(restKeyOf(site, pool, offering, outcome));
  const previous = store.rests().find((known) => known.key === key) ?? null;
  const at = { random01: random.float(), jobsWait: false };
  store.putRest(restAfter(previous, { key, outcome }, clock.now(), at));
}

/** What the notice makes of the machine, and the reason; null = it says nothing new. */
function markFor(
  deps: ActDeps,
  machine: Machine,
  { kind }: Notice,
): { code: ReasonCode; mark: Partial<Machine> } | null {
  if (kind === 'interruption')
    return machine.ending === 'interrupted' ? null : { code: 'interrupted', mark: { ending: 'interrupted' } };
  const rule = deps.config.pool(machine.pool)?.rebalance ?? 'drain';
  if (rule === 'ignore' || machine.ending !== null) return null;
  if (rule === 'drain') return { code: 'rebalance', mark: { ending: 'rebalance' } };
  // The planner launches a replacement and ends this one when that is ready.
  return machine.advisedAt === undefined
    ? { code: 'rebalance', mark: { advisedAt: deps.clock.now() } }
    : null;
}

async function tellRunner(deps: NoticeDeps, lease: Lease, why: string): Promise<void> {
  const early = untilBadWord(lease, deps.clock.now());
  if (early > 0) await deps.clock.sleep(early, deps.stop);
  const current = deps.store.lease(lease.name);
  // A job may have begun meanwhile; a busy host answers as before.
  if (deps.stop.aborted || current === null || current.state !== 'held' || isBusy(current, deps.clock.now()))
    return;
  await deps.runnerStore.putHealth(current.store, current.name, { kind: 'dead', why });
}

function tell(deps: ActDeps, machine: Machine, notice: Notice, code: ReasonCode): void {
  const lease = machine.lease === null ? null : deps.store.lease(machine.lease);
  const busy = lease !== null && isBusy(lease, deps.clock.now());
  const until = notice.deadline === null ? '' : ` by ${new Date(notice.deadline).toISOString()}`;
  const what =
    code === 'interrupted'
      ? `EC2 takes ${notice.instance} back${until}`
      : `EC2 advises to move on from ${notice.instance}${machine.ending === null ? ', which ends when its replacement is ready' : ''}`;
  const on = busy ? `; ${jobOn(lease)} runs on it and is left to finish` : '';
  deps.journal({
    code,
    pool: machine.pool,
    machine: machine.id,
    lease: machine.lease,
    level: 'warn',
    text: `${what} (${notice.code}, seen in ${notice.source})${on}`,
    detail: { instance: notice.instance, source: notice.source, busy },
  });
}

/** Acts upon one notice; true when it said something new of a machine of ours. */
export function takeNotice(deps: NoticeDeps, notice: Notice): boolean {
  if (notice.kind === 'state') return false;
  const { store } = deps;
  const found = store.machines().find(({ instance }) => instance === notice.instance) ?? null;
  if (found === null || found.phase === 'gone' || found.phase === 'terminating') return false;
  const due = markFor(deps, found, notice);
  if (due === null) return false;
  const { code, mark } = due;
  const marked = store.transaction(() => {
    const machine = store.machine(found.id);
    if (machine === null) return null;
    const next = { ...machine, ...mark };
    store.putMachine(next);
    return next;
  });
  if (marked === null) return false;
  if (notice.kind === 'interruption') markOffering(deps, marked, notice.code);
  tell(deps, marked, notice, code);
  const lease = marked.lease === null ? null : store.lease(marked.lease);
  if (lease !== null && marked.ending !== null) {
    const why = code === 'interrupted' ? 'EC2 takes its instance back' : 'EC2 advises to leave its instance';
    deps.track(tellRunner(deps, lease, why));
  }
  deps.nudge();
  return true;
}
