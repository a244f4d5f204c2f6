// Several [[runners]] sections in one daemon: each create finds its own pool, each pool launches with its own options.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LiveWorld, machineOptions, startWorld } from '../../support/live-world.ts';
import { awaitNoInstance, codesOf } from '../../support/looks.ts';

type Section = { name: string; token: string; machineName: string; type: string; more?: readonly string[] };

/** The last two share the start of their tokens, as with a token prefix for a whole GitLab. */
const sections: readonly Section[] = [
  { name: 'Small builds', token: 'glrt-small00000000000', machineName: 'small-%s', type: 'm5.large' },
  {
    name: 'big-builds',
    token: 'glrt-bigone0000000000',
    machineName: 'big-%s',
    type: 'c5.xlarge',
    more: ['amazonec2-request-spot-instance=true', 'amazonec2-tags=team,compilers'],
  },
  { name: 'shared-a', token: 'mycompany-glrt-aaaaaaaa', machineName: 'box-%s', type: 'r5.large' },
  { name: 'shared-b', token: 'mycompany-glrt-bbbbbbbb', machineName: 'box-%s', type: 'r5.xlarge' },
];

type Cloud = { endpoint: string; sshPort: number };

const optionsOf = (cloud: Cloud, { type, more = [] }: Section) => [...machineOptions(cloud, type), ...more];

/** `gone`: the section that has become a runner of another kind. */
const fileFor = (cloud: Cloud, gone = '') => `concurrent = 20
${sections
  .map(
    (section) => `[[runners]]
  name = "${section.name}"
  url = "https://gitlab.example.com"
  token = "${section.token}"
  executor = "${section.name === gone ? 'shell' : 'docker+machine'}"
  limit = 5
  [runners.machine]
    IdleCount = 0
    IdleTime = 600
    MaxBuilds = 10
    MachineDriver = "amazonec2"
    MachineName = "${section.machineName}"
    MachineOptions = [${optionsOf(cloud, section)
      .map((option) => `"${option}"`)
      .join(', ')}]
`,
  )
  .join('\n')}`;

let world: LiveWorld;
beforeAll(async () => {
  world = await startWorld({ text: fileFor });
});
afterAll(() => world.close());

/** A create as the runner of that section asks for it. */
async function createAs(section: Section | undefined, name: string): Promise<string> {
  const options = section === undefined ? [] : optionsOf(world.emulator, section);
  const flags = options.map((option) => `--${option}`);
  const answer = await world.dockerMachine('create', '--driver', 'amazonec2', ...flags, name);
  expect(answer, answer.stderr).toMatchObject({ code: 0 });
  return (await world.client.leases()).find((lease) => lease.name === name)?.pool ?? 'none';
}

describe('which pool a create belongs to', () => {
  test('the start of its name decides, in the forms of old and new runners', async () => {
    const pools = await Promise.all([
      createAs(sections[0], 'runner-small0000-small-1790000001-0000000a'),
      createAs(sections[1], 'runner-bigone000-big-1790000002-0000000b'),
      createAs(sections[1], 'runner-glrt-big-big-1790000003-0000000c'),
    ]);
    expect(pools).toEqual(['small-builds', 'big-builds', 'big-builds']);
  });

  test('equal options decide between sections whose names begin alike', async () => {
    const pools = await Promise.all([
      createAs(sections[3], 'runner-mycompany-box-1790000004-0000000d'),
      createAs(sections[2], 'runner-mycompany-box-1790000005-0000000e'),
    ]);
    expect(pools).toEqual(['shared-b', 'shared-a']);
  });

  test('a create that fits nothing is served by the first, with a warning', async () => {
    expect(await createAs(undefined, 'somebody-1')).toBe('small-builds');
    const warned = (await world.client.events({ lease: 'somebody-1' })).map(({ text }) => text);
    expect(warned.join()).toContain('neither the name nor the options fit a pool');
  });
});

describe('pools beside each other', () => {
  test('launch with their own options and tags', () => {
    const kinds = world
      .alive()
      .map(({ type, market, tags }) => `${tags['hostler:pool']} ${type} ${market} ${tags['team'] ?? '-'}`);
    expect(kinds.toSorted()).toEqual([
      'big-builds c5.xlarge spot compilers',
      'big-builds c5.xlarge spot compilers',
      'shared-a r5.large on-demand -',
      'shared-b r5.xlarge on-demand -',
      'small-builds m5.large on-demand -',
      'small-builds m5.large on-demand -',
    ]);
    const owners = new Set(world.alive().map(({ tags }) => tags['hostler:owner']));
    expect(owners.size).toBe(1);
  });

  test('never lend a host to another: an idle one of its own pool is taken, else one is launched', async () => {
    const [given] = (await world.client.leases()).filter(({ pool }) => pool === 'shared-a');
    await world.rm(given?.name ?? '');
    const before = world.alive().length;
    expect(await createAs(sections[0], 'runner-small0000-small-1790000006-0000000f')).toBe('small-builds');
    expect(world.alive()).toHaveLength(before + 1);
    await createAs(sections[2], 'runner-mycompany-box-1790000007-00000010');
    expect(world.alive()).toHaveLength(before + 1);
  });

  test('a section that leaves the file keeps its hosts with leases and ends the others', async () => {
    const kept = (await world.client.leases()).filter(({ pool }) => pool === 'big-builds');
    await world.rm(kept[0]?.name ?? '');
    await world.until('an idle host', async () =>
      (await world.client.machines()).some(({ pool, phase }) => pool === 'big-builds' && phase === 'ready'),
    );
    world.writeConfig({ text: (cloud) => fileFor(cloud, 'big-builds') });
    await world.client.reload();
    expect((await world.client.pools()).map(({ id }) => id)).toEqual([
      'small-builds',
      'shared-a',
      'shared-b',
    ]);
    await world.until(
      'the idle host to end',
      () => world.alive().filter(({ tags }) => tags['hostler:pool'] === 'big-builds').length === 1,
    );
    expect(await world.dockerMachine('url', kept[1]?.name ?? '')).toMatchObject({ code: 0 });
    await world.rm(kept[1]?.name ?? '');
    await world.until('the last one to end', () =>
      world.alive().every(({ tags }) => tags['hostler:pool'] !== 'big-builds'),
    );
    expect(await codesOf(world)).toContain('pool-removed');
  });

  test('end together by cleanup', async () => {
    expect(await world.hostler('cleanup', '--yes')).toMatchObject({ code: 0 });
    await awaitNoInstance(world);
  });
});
