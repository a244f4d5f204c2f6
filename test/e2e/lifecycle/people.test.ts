// People at the runner's store while a job is on a host: what would change or end the host under the job is refused in
// words; `rm` without the runner's flag is theirs to say, and ends machine and instance.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../support/live-world.ts';
import { gate, openStage, orders, type PlayedRunner, type Stage } from './stage.ts';

let stage: Stage;
let runner: PlayedRunner;
let name = '';
let instance: string | null = null;
beforeAll(async () => {
  stage = await openStage({ sections: { people: { maxBuilds: 10 } } });
  runner = stage.runner('people');
  runner.queue(orders([1], gate().opened));
  const [lease] = await stage.see('the job', async () => {
    const leases = await stage.leases('people');
    return leases[0]?.jobs.length === 1 && leases;
  });
  name = lease?.name ?? '';
  instance = (await stage.world.client.machine(lease?.machine ?? '')).machine.instance;
});
afterAll(() => stage.close());

/** `docker-machine` as typed by a person: without the runner's first argument. */
const person = (...args: string[]) => {
  const [bin = ''] = (stage.world.env['PATH'] ?? '').split(':');
  return run(`${bin}/docker-machine`, args, stage.world.env).done;
};

describe('a person’s docker-machine on a host with a job', () => {
  test.each(['start', 'restart', 'kill', 'provision', 'regenerate-certs', 'upgrade'])(
    '%s is refused in words and changes nothing',
    async (verb) => {
      const answer = await person(verb, name);
      expect(answer.code).toBe(1);
      expect(answer.stderr.trim().split('\n')).toHaveLength(1);
      expect(answer.stderr).toContain(name);
      expect(answer.stderr).toMatch(verb === 'start' ? /already running/ : /may have a job on it/);
      expect(await stage.leases('people')).toMatchObject([{ name, state: 'busy' }]);
      expect(stage.alive('people').map(({ id }) => id)).toEqual([instance]);
      expect(runner.job('1')).toMatchObject({ state: 'running' });
    },
  );

  test('stop says that the machine is left running', async () => {
    const answer = await person('stop', name);
    expect(answer).toMatchObject({ code: 0 });
    expect(answer.stderr).toContain('is left running');
    expect(runner.job('1')).toMatchObject({ state: 'running' });
  });

  test('rm without -y and without a terminal ends nothing', async () => {
    expect((await person('rm', name)).code).toBe(1);
    expect(await stage.leases('people')).toMatchObject([{ name, state: 'busy' }]);
  });

  test('rm -y ends lease, instance and job, since a person asked for it', async () => {
    expect(await person('rm', '-y', name)).toMatchObject({ code: 0 });
    await stage.see('its end', () => !stage.world.alive().some(({ id }) => id === instance));
    await runner.settled();
    expect(runner.job('1')).toMatchObject({ state: 'failed' });
    expect((await stage.world.client.events({ lease: name })).map(({ code }) => code)).toContain('by-person');
    runner.queue(orders([2]));
    await runner.settled();
    expect(runner.job('2')).toMatchObject({ state: 'done' });
    expect(runner.job('2').machine).not.toBe(name);
  });
});
