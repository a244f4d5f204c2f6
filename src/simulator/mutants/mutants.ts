// Bugs on purpose: each breaks one named rule in a copy of the code, by replacing a text that stands there exactly once, and
// names the quickest checker that must notice. A mutant that nobody notices is a hole in the proof.
// Trap: a text that is not found, or twice, is a failure too: the code moved on and the mutant with it must.

export type Mutant = {
  /** The rule that it breaks. */
  rule: string;
  part: 'planner' | 'loop' | 'store' | 'act' | 'leases' | 'door';
  file: string;
  find: string;
  replace: string;
  /** Test files of the unit project, or one sampled crash run. */
  checker: readonly string[];
};

const unit = (...names: readonly string[]): readonly string[] =>
  names.map((name) => `test/unit/${name}.test.ts`);

const planner: readonly Omit<Mutant, 'part'>[] = [
  {
    rule: "creates that fill the runner's idle are its wish less what it holds",
    file: 'src/planner/size.ts',
    find: 'Math.min(runnerIdle - held, waiting)',
    replace: 'Math.min(runnerIdle, waiting)',
    checker: unit('planner/size'),
  },
  {
    rule: 'never wants more machines than limit',
    file: 'src/planner/size.ts',
    find: 'return input.limit > 0 ? Math.min(wanted, input.limit) : wanted;',
    replace: 'return wanted;',
    checker: unit('planner/size'),
  },
  {
    rule: 'concurrent bounds what runs over all pools',
    file: 'src/planner/size.ts',
    find: 'Math.max(0, draft.seen.concurrent - busyInAll)',
    replace: 'draft.seen.concurrent',
    checker: unit('planner/size', 'planner/pending-jobs'),
  },
  {
    rule: 'a scaled wish for idle machines is one at least',
    file: 'src/planner/idle-policy.ts',
    find: 'Math.max(idleCountMin, 1, Math.trunc(inUse * idleScaleFactor))',
    replace: 'Math.max(idleCountMin, Math.trunc(inUse * idleScaleFactor))',
    checker: unit('planner/size', 'planner/schedule'),
  },
  {
    rule: 'wants look one boot ahead',
    file: 'src/planner/idle-policy.ts',
    find: 'const until = now + pool.bootP90Ms;',
    replace: 'const until = now;',
    checker: unit('planner/size', 'planner/shrink', 'planner/grow'),
  },
  {
    rule: 'retires ready machines alone',
    file: 'src/planner/shrink.ts',
    find: "machine.phase === 'ready' && !held",
    replace: '!held',
    checker: unit('planner/shrink'),
  },
  {
    rule: 'keeps an idle machine until its IdleTime is over',
    file: 'src/planner/shrink.ts',
    find: '(idleSince(slot) + idleTimeMs) / TOGETHER_MS',
    replace: 'idleSince(slot) / TOGETHER_MS',
    checker: unit('planner/shrink'),
  },
  {
    rule: 'the most used machine goes first',
    file: 'src/planner/shrink.ts',
    find: 'b.machine.builds - a.machine.builds',
    replace: 'a.machine.builds - b.machine.builds',
    checker: unit('planner/shrink'),
  },
  {
    rule: 'a lost ping or two is no dead host',
    file: 'src/planner/liveness.ts',
    find: 'export const DEAD_AFTER_PINGS = 3;',
    replace: 'export const DEAD_AFTER_PINGS = 1;',
    checker: unit('planner/liveness'),
  },
  {
    rule: 'a record whose launch is open is not buried',
    file: 'src/planner/liveness.ts',
    find: 'if (draft.openLaunches.has(machine.launch)) return null;',
    replace: '',
    checker: unit('planner/liveness', 'planner/intents'),
  },
  {
    rule: 'what a list does not show needs two looks',
    file: 'src/planner/orphans.ts',
    find: 'const isSure = lookTwice(draft, instance.id, listedAt, LOOKS_APART_MS);',
    replace: 'const isSure = true || lookTwice(draft, instance.id, listedAt, LOOKS_APART_MS);',
    checker: unit('planner/orphans'),
  },
  {
    rule: "another manager's instances are left alone",
    file: 'src/planner/orphans.ts',
    find: 'if (!isOurs(draft.seen, instance)) {',
    replace: 'if (instance.id === "") {',
    checker: unit('planner/orphans'),
  },
  {
    rule: 'the last section that holds wins',
    file: 'src/planner/schedule.ts',
    find: 'for (let index = schedule.periods.length - 1; index >= 0; index -= 1)',
    replace: 'for (let index = 0; index < schedule.periods.length; index += 1)',
    checker: unit('planner/schedule'),
  },
  {
    rule: 'the reserve is bounded by limit',
    file: 'src/planner/reserve.ts',
    find: 'Math.min(2 * base, mostIdle(draft, pool)) - idle.own',
    replace: '2 * base - idle.own',
    checker: unit('planner/reserve'),
  },
  {
    rule: 'a paused pool launches nothing',
    file: 'src/planner/grow.ts',
    find: "if (pool.memory.paused) return { room: 0, ends: 'paused' };",
    replace: '',
    checker: unit('planner/grow', 'planner/hold-still'),
  },
  {
    rule: 'two launch calls are kept for jobs',
    file: 'src/planner/grow.ts',
    find: "const kept = kind === 'idle' ? CALLS_KEPT_FOR_DEMAND : 0;",
    replace: 'const kept = 0;',
    checker: unit('planner/grow'),
  },
  {
    rule: 'a leased machine is never retired, whatever the planner says',
    file: 'src/planner/check.ts',
    find: "if (action.kind === 'retire' && leased.has(action.machine))",
    replace: "if (action.kind === 'retire' && leased.has(''))",
    checker: unit('planner/check'),
  },
  {
    rule: 'nothing is ended on a list that is not fresh',
    file: 'src/planner/check.ts',
    find: 'if (!fresh.has(site)) say(`${action.kind} of',
    replace: "if (fresh.has('none')) say(`${action.kind} of",
    checker: unit('planner/check'),
  },
];

const others: readonly Mutant[] = [
  {
    part: 'loop',
    rule: 'a clock that jumps freezes retirements',
    file: 'src/reconcile/clock-jump.ts',
    find: 'JUMP_MS: DurationMs = 5 * MINUTE_MS',
    replace: 'JUMP_MS: DurationMs = 5000 * MINUTE_MS',
    checker: unit('reconcile/clock-jump'),
  },
  {
    part: 'act',
    rule: 'a launch is sent again under its own token',
    file: 'src/reconcile/actions/launch.ts',
    find: 'const order = { token: launch.token, count',
    replace: 'const order = { token: `${launch.token}${launch.sends}`, count',
    checker: ['crash'],
  },
  {
    part: 'store',
    rule: 'a transaction that throws leaves nothing',
    file: 'src/adapters/sqlite/store.ts',
    find: '      undoAll(mine.undo);\n      throw error;\n    } finally {',
    replace: '      throw error;\n    } finally {',
    checker: unit('adapters/sqlite/store', 'adapters/sqlite/trouble'),
  },
  {
    part: 'store',
    rule: 'what must be durable is refused by a disk that takes nothing',
    file: 'src/adapters/sqlite/store.ts',
    find: 'if (!isDurable) return disk.keep(batch);',
    replace: 'return disk.keep(batch);',
    checker: unit('adapters/sqlite/trouble', 'service/full-disk'),
  },
  {
    part: 'leases',
    rule: 'the oldest create is served first',
    file: 'src/service/waiting-line.ts',
    find: 'while (at > 0 && isBefore(waiter, line[at - 1] as Waiter)) at--;',
    replace: 'while (at > 0 && !isBefore(waiter, line[at - 1] as Waiter)) at--;',
    checker: unit('service/waiting-line'),
  },
  {
    part: 'leases',
    rule: 'a name that is held is not leased twice',
    file: 'src/service/leases.ts',
    find: 'if (!isReleased && (await runnerStore.stands(lease.store, name))) throw taken();',
    replace: '',
    checker: unit('service/leases'),
  },
  {
    part: 'leases',
    rule: 'a held machine whose folder stands outlives its door',
    file: 'src/service/leases.ts',
    find: 'if (await runnerStore.stands(lease.store, name)) return;',
    replace: '',
    checker: unit('service/leases'),
  },
  {
    part: 'leases',
    rule: 'a release ends the lease that it was meant for alone',
    file: 'src/service/mailbox.ts',
    find: "if (lease.state !== 'held') return true;",
    replace: "if (lease.state !== 'held') return false;",
    checker: unit('service/mailbox'),
  },
  {
    part: 'leases',
    rule: 'a host that cannot be asked keeps its lease',
    file: 'src/service/abandoned-leases.ts',
    find: 'if (containers === null) return isSilentForLong(lease.name);',
    replace: 'if (containers === null) return true;',
    checker: unit('service/abandoned-leases'),
  },
  {
    part: 'door',
    rule: 'a release that was noted is a success the second time too',
    file: 'src/doors/docker-machine/remove.ts',
    find: 'if (existsSync(join(io.store, MACHINES, MAILBOX, RELEASED, name))) return null;',
    replace: '',
    checker: unit('doors/docker-machine/people-verbs', 'doors/docker-machine/fast-answers'),
  },
  {
    part: 'door',
    rule: "another driver's machine is not forgotten without -f",
    file: 'src/doors/docker-machine/remove.ts',
    find: "if (made !== 'none' && made !== '' && !force)",
    replace: "if (made === 'nothing' && !force)",
    checker: unit('doors/docker-machine/people-verbs'),
  },
  {
    part: 'door',
    rule: 'a folder that the daemon noted as gone counts as none',
    file: 'src/doors/docker-machine/store-folder.ts',
    find: "if (health?.kind === 'gone') {",
    replace: "if (health?.kind === 'gone' && name === '') {",
    checker: unit('doors/docker-machine/people-verbs', 'doors/docker-machine/fast-answers'),
  },
];

/** All of them. */
export const mutants: readonly Mutant[] = [
  ...planner.map((mutant): Mutant => ({ ...mutant, part: 'planner' })),
  ...others,
];
