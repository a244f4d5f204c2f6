// `hostler explain [NAME]`: without a name why each pool has the size it has; with one, a pool's, machine's or lease's story.
import type { Command } from 'commander';
import type { EventReply, LeaseReply, MachineDetailReply, QueueJobReply } from '../../contract/api.ts';
import type { Client } from '../../contract/client.ts';
import { HostlerError } from '../../domain/error.ts';
import { callDaemon, printJson, printLines, type ReadOptions, withReading } from './daemon-call.ts';
import { drawEvents } from './events.ts';
import type { CliIo } from './io.ts';
import { drawLeases } from './leases.ts';
import { drawMachines } from './machines.ts';
import { createPaint, type Paint, plain } from './paint.ts';
import { explainActions, explainPool } from './pool-sum.ts';
import { drawJobs } from './queue.ts';

/** Events of a pool's story: what fits on a screen. */
const POOL_EVENTS = 20;

/** Pending jobs of a pool's story: the oldest. */
const POOL_JOBS = 10;

/** Events of one machine: those of its leases too. */
const MACHINE_EVENTS = 200;

/** Events of one lease: a lease has some ten in its life. */
const LEASE_EVENTS = 200;

type Screen = { now: number; paint: Paint };
type Story = { json: unknown; lines: readonly string[] };

const historyLines = (events: readonly EventReply[], paint: Paint): string[] =>
  events.length === 0 ? ['no events'] : drawEvents(events, paint);

async function explainAll(client: Client, screen: Screen): Promise<Story> {
  const [plan, pools] = await Promise.all([client.plan(), client.pools()]);
  const blocks = pools.flatMap((pool) => [
    ...explainPool(
      pool,
      plan.pools.find((size) => size.pool === pool.id),
      screen,
    ),
    '',
  ]);
  const empty = pools.length === 0 ? ['no pools: the configuration has no docker+machine runner', ''] : [];
  return { json: plan, lines: [...empty, ...blocks, ...explainActions(plan, screen.now)] };
}

type Pending = { jobs: QueueJobReply[]; more: number };

/** The oldest pending jobs that a pool is sized for. A daemon of the version before has no such list. */
async function jobsOf(client: Client, pool: string): Promise<Pending> {
  try {
    const queue = (await client.queue()).find((entry) => entry.pool === pool);
    const jobs = (queue?.jobs ?? []).filter(({ takes }) => takes).slice(0, POOL_JOBS);
    return { jobs, more: jobs.length === 0 ? 0 : (queue?.may_take ?? 0) - jobs.length };
  } catch (error) {
    if (error instanceof HostlerError && error.code === 'not-found') return { jobs: [], more: 0 };
    throw error;
  }
}

async function explainOnePool(client: Client, name: string, screen: Screen): Promise<Story | null> {
  const pool = (await client.pools()).find(({ id }) => id === name);
  if (pool === undefined) return null;
  const [plan, events, { jobs, more }] = await Promise.all([
    client.plan(),
    client.events({ pool: name, limit: POOL_EVENTS }),
    jobsOf(client, name),
  ]);
  const size = plan.pools.find((entry) => entry.pool === name);
  const left = more > 0 ? [`  ${more} more: hostler queue --jobs ${jobs.length + more} names them`] : [];
  const pending = jobs.length === 0 ? [] : ['', ...drawJobs(jobs, screen.paint), ...left];
  return {
    json: { pool, plan: size ?? null, events, jobs },
    lines: [...explainPool(pool, size, screen), ...pending, '', ...historyLines(events, screen.paint)],
  };
}

async function findMachine(client: Client, name: string): Promise<MachineDetailReply | null> {
  const match = (await client.machines()).find(
    (machine) => machine.id === name || machine.instance === name || machine.address === name,
  );
  try {
    return await client.machine(match?.id ?? name);
  } catch (error) {
    if (error instanceof HostlerError && error.code === 'not-found') return null;
    throw error;
  }
}

/** What separates a failure's words from the console's end in an event of a failed boot. */
const CONSOLE_MARK = '; console: ';

/** The history of a machine; a console's lines stand below it, where they can be read. */
function machineHistory(events: readonly EventReply[], paint: Paint): string[] {
  const shown = events.map((event) => ({ ...event, text: event.text.split(CONSOLE_MARK)[0] ?? '' }));
  const text = events.map((event) => event.text).findLast((found) => found.includes(CONSOLE_MARK)) ?? '';
  const console = text
    .slice(text.indexOf(CONSOLE_MARK) + CONSOLE_MARK.length)
    .split('\n')
    .map((line) => `  ${plain(line)}`);
  return [
    ...historyLines(shown, paint),
    ...(text === '' ? [] : ['', paint.bold('end of its console:'), ...console]),
  ];
}

const ways = { 'run-instances': 'RunInstances', fleet: 'a fleet', 'spot-request': 'a spot request' } as const;

/** Why it stands where it stands. A daemon of one version before does not tell. */
function launchLines({ launch = null }: Partial<MachineDetailReply>): string[] {
  if (launch === null) return [];
  return [plain(`asked for by ${ways[launch.way]}: ${launch.why ?? 'no choice was recorded'}`)];
}

async function explainMachine(client: Client, name: string, screen: Screen): Promise<Story | null> {
  const detail = await findMachine(client, name);
  if (detail !== null) {
    const head = [...drawMachines([detail.machine], screen.now, screen.paint), ...launchLines(detail)];
    return { json: detail, lines: [...head, '', ...machineHistory(detail.events, screen.paint)] };
  }
  // Its row goes some minutes after its end; what happened to it stays.
  const isId = name.startsWith('m-');
  const events = isId ? await client.events({ machine: name, limit: MACHINE_EVENTS }) : [];
  if (events.length === 0) return null;
  const lines = ['the machine is gone', '', ...machineHistory(events, screen.paint)];
  return { json: { machine: null, events }, lines };
}

async function explainLease(client: Client, name: string, screen: Screen): Promise<Story | null> {
  const [leases, events] = await Promise.all([
    client.leases(),
    client.events({ lease: name, limit: LEASE_EVENTS }),
  ]);
  const lease: LeaseReply | null = leases.find((entry) => entry.name === name) ?? null;
  if (lease === null && events.length === 0) return null;
  const head = lease === null ? ['the lease has ended'] : drawLeases([lease], screen.now, screen.paint);
  return { json: { lease, events }, lines: [...head, '', ...historyLines(events, screen.paint)] };
}

async function tell(client: Client, name: string | undefined, screen: Screen): Promise<Story> {
  if (name === undefined) return explainAll(client, screen);
  for (const look of [explainOnePool, explainMachine, explainLease]) {
    const story = await look(client, name, screen);
    if (story !== null) return story;
  }
  throw new HostlerError(
    'not-found',
    `${name} is no pool, machine, instance or lease that the daemon remembers; "hostler machines" and "hostler leases" list them`,
  );
}

/** Registers `explain`. */
export function register(program: Command, io: CliIo): void {
  withReading(program.command('explain'))
    .description('say why: the size of each pool, or the story of one pool, machine or lease')
    .argument('[name]', 'pool, machine id, instance id, address or lease name')
    .action((name: string | undefined, options: ReadOptions) =>
      callDaemon(io, options, async (client) => {
        const story = await tell(client, name, { now: io.now(), paint: createPaint(io) });
        if (options.json === true) printJson(io, story.json);
        else printLines(io, story.lines);
      }),
    );
}
