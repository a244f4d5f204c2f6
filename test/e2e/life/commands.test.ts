// The command line as an operator uses it on a living daemon: what is read, what is switched, what is refused; JSON keys
// that scripts rely on stand here as a list.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { folders, type LiveWorld, machineName, type Ran, startWorld } from '../../support/live-world.ts';
import { awaitHeld, awaitNoInstance } from '../../support/looks.ts';

let world: LiveWorld;
let leased = '';

beforeAll(async () => {
  world = await startWorld({
    own: '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\nidle_count = 1\n',
  });
  leased = machineName();
  expect(await world.create(leased)).toMatchObject({ code: 0 });
  await awaitHeld(world, 1);
});
afterAll(() => world.close());

async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const answer = await world.hostler(...args, '--json');
  expect(answer, answer.stderr).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(answer.stdout) as T;
}

function refusal(answer: Ran): string {
  expect(answer.code).not.toBe(0);
  expect(answer.stdout).toBe('');
  expect(answer.stderr.trim().split('\n')).toHaveLength(1);
  expect(answer.stderr).not.toMatch(/\bat .*\.ts:\d+/);
  return answer.stderr;
}

/** Keys that others build on; more may come. */
const keys: readonly {
  verb: string;
  args?: string[];
  of: (value: never) => unknown;
  keys: readonly string[];
}[] = [
  {
    verb: 'machines',
    of: (value: object[]) => value[0],
    keys: [
      'id',
      'pool',
      'phase',
      'instance',
      'type',
      'zone',
      'market',
      'address',
      'builds',
      'lease',
      'since',
    ],
  },
  {
    verb: 'leases',
    of: (value: object[]) => value[0],
    keys: ['name', 'pool', 'machine', 'state', 'since', 'waited_s', 'runner_pid'],
  },
  {
    verb: 'status',
    of: (value: object) => value,
    keys: [
      'version',
      'pid',
      'owner',
      'manager',
      'state_dir',
      'config_files',
      'last_tick',
      'sources',
      'pools',
      'waiting',
    ],
  },
  { verb: 'explain', of: (value: object) => value, keys: ['at', 'wake_at', 'pools', 'actions'] },
  { verb: 'explain', args: ['test-runner'], of: (value: object) => value, keys: ['pool', 'plan', 'events'] },
  {
    verb: 'events',
    of: (value: object[]) => value[0],
    keys: ['seq', 'at', 'code', 'pool', 'machine', 'lease', 'text', 'detail'],
  },
];

describe('reading', () => {
  test.each(keys.map((row) => [[row.verb, ...(row.args ?? [])].join(' '), row] as const))(
    '%s --json has the keys that others build on',
    async (_title, { verb, args = [], of, keys: wanted }) => {
      const value = of(await json<never>(verb, ...args)) as object;
      expect(Object.keys(value)).toEqual(expect.arrayContaining([...wanted]));
    },
  );

  test('every reading verb has a page for people too', async () => {
    const pages = await Promise.all(
      [['status'], ['machines'], ['leases'], ['explain'], ['explain', leased], ['events']].map((args) =>
        world.hostler(...args),
      ),
    );
    for (const page of pages) expect(page).toMatchObject({ code: 0, stderr: '' });
    expect(pages[0]?.stdout).toContain('test-runner');
    expect(pages[1]?.stdout).toContain('leased');
    expect(pages[2]?.stdout).toContain(leased);
    expect(pages[3]?.stdout).toContain('wants');
    expect(pages[4]?.stdout).toContain('granted');
  });

  test('explain tells the story of a machine by id, instance, address and lease', async () => {
    const [machine] = (await world.client.machines()).filter(({ lease }) => lease === leased);
    const names = [machine?.id, machine?.instance, machine?.address].filter((name) => name != null);
    const stories = await Promise.all(
      names.map((name) => json<{ machine: { id: string } }>('explain', name)),
    );
    expect(stories.map((story) => story.machine.id)).toEqual(names.map(() => machine?.id));
    expect(refusal(await world.hostler('explain', 'nobody'))).toContain('not-found');
  });

  test('config and check read the files that the daemon reads, and hide secrets', async () => {
    const [file = ''] = (await world.client.status()).config_files.filter((name) =>
      name.endsWith('hostler.toml'),
    );
    const { values } = await json<{ values: { key: string; value: unknown; origin: string }[] }>(
      'config',
      '-c',
      file,
    );
    expect(values.find(({ key }) => key.endsWith('idle_count'))).toMatchObject({ value: 1, origin: 'file' });
    expect(JSON.stringify(values)).not.toContain('example-secret');
    const check = await world.hostler('check', '--config', file);
    expect(check).toMatchObject({ code: 0 });
    expect(check.stdout).toContain('test-runner');
    const meaning = await json('check', '-c', file);
    expect(meaning).toMatchObject({ ok: true, files: expect.arrayContaining([file]) });
    expect(Object.keys(meaning)).toEqual(
      expect.arrayContaining(['at', 'owner', 'listen_address', 'concurrent', 'pools', 'issues']),
    );
  });
});

describe('changing', () => {
  test('pause holds a pool as it is, resume lets it go on; status says so', async () => {
    expect(await world.hostler('pause', 'test-runner')).toMatchObject({ code: 0 });
    const [idle] = await awaitReadyOnes(1);
    const second = machineName();
    expect(await world.create(second)).toMatchObject({ code: 0 });
    expect((await world.client.leases()).find(({ name }) => name === second)?.machine).toBe(idle?.id);
    const third = world.startDockerMachine('create', '--driver', 'amazonec2', machineName());
    let heard = '';
    third.child.stdout?.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });
    await world.until('a word to the waiting create', () => heard.includes('the pool is paused'));
    expect(world.alive()).toHaveLength(2);
    expect((await json<{ pools: { paused: boolean }[] }>('status')).pools[0]).toMatchObject({ paused: true });
    expect(await world.hostler('resume', '--all')).toMatchObject({ code: 0 });
    expect(await third.done).toMatchObject({ code: 0 });
  });

  test('retire refuses a machine that a runner holds, ends an idle one, and with --force any', async () => {
    expect(refusal(await world.hostler('retire', leased, '--yes'))).toContain('machine-busy');
    await world.rm(leased);
    const [idle] = await awaitReadyOnes(1);
    expect(refusal(await world.hostler('retire', idle?.id ?? ''))).toContain('--yes');
    expect(await world.hostler('retire', idle?.instance ?? '', '--yes')).toMatchObject({ code: 0 });
    await world.until('its instance to end', () => world.alive().every(({ id }) => id !== idle?.instance));
    const [held] = await world.client.leases();
    expect(await world.hostler('retire', held?.name ?? '', '--force', '--yes')).toMatchObject({ code: 0 });
    await world.until('the lease to end', async () =>
      (await world.client.leases()).every(({ name }) => name !== held?.name),
    );
    await world.until('the runner to hear of it', async () => {
      const { code } = await world.dockerMachine('config', held?.name ?? '');
      return code === 1;
    });
    // A runner that hears no asks `inspect` next, and forgets a machine that is not there.
    expect(await world.dockerMachine('inspect', held?.name ?? '')).toMatchObject({ code: 1 });
    expect(folders(world)).not.toContain(held?.name);
  });

  test('drain empties a pool: no create is served, idle hosts end, leased ones after their lease', async () => {
    const [held] = await awaitHeld(world, 1);
    expect(refusal(await world.hostler('drain', 'test-runner'))).toContain('--yes');
    expect(await world.hostler('drain', 'test-runner', '--yes')).toMatchObject({ code: 0 });
    const refused = await world.create(machineName());
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('being drained');
    await world.until('the idle hosts to end', () => world.alive().length === 1);
    await world.rm(held?.name ?? '');
    await awaitNoInstance(world);
    expect(await world.hostler('resume', 'test-runner')).toMatchObject({ code: 0 });
    await awaitReadyOnes(1);
  });

  test('reload takes a good file, refuses a bad one with its place, and keeps the old settings then', async () => {
    world.writeConfig({ runner: 'limit = 7' });
    expect(await world.hostler('reload')).toMatchObject({ code: 0 });
    expect((await world.client.pools())[0]?.limit).toBe(7);
    world.writeConfig({ runner: 'limit = "many"' });
    expect(refusal(await world.hostler('reload'))).toMatch(/config\.toml:\d+:\d+/);
    expect((await world.client.pools())[0]?.limit).toBe(7);
    const status = await world.hostler('status');
    expect(status.stdout).toMatch(/refused|config\.toml:\d+/);
    world.writeConfig({ runner: 'limit = 8' });
    await world.until(
      'the changed file to be read',
      async () => (await world.client.pools())[0]?.limit === 8,
    );
    expect((await world.client.status()).config_error).toBeNull();
  });

  test('cleanup asks, then ends everything and says how many', async () => {
    expect(refusal(await world.hostler('cleanup'))).toContain('--yes');
    await awaitReadyOnes(1);
    const reply = await json<{ terminated: string[]; kept: string[]; left: number }>('cleanup', '--yes');
    expect(reply).toMatchObject({ kept: [], left: 0 });
    expect(reply.terminated).toHaveLength(1);
    await awaitNoInstance(world);
  });

  test('a verb without its daemon says how to start it', async () => {
    const answer = await world.hostler('status', '--socket', `${world.folder}/none.sock`);
    expect(answer.code).toBe(69);
    expect(refusal(answer)).toContain('hostler run');
  });
});

/** Ready machines once there are this many, whatever else there is. */
function awaitReadyOnes(count: number) {
  return world.until(`${count} ready machines`, async () => {
    const ready = (await world.client.machines()).filter(({ phase }) => phase === 'ready');
    return ready.length >= count && ready;
  });
}
