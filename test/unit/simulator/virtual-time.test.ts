// Virtual time: what is due runs at its own instant, everything it wakes goes on before the next, and nothing waits for real.
import { describe, expect, test } from 'vitest';
import { createVirtualTimeline } from '../../../src/sim/timeline.ts';
import { createNetworkLine } from '../../../src/simulator/daemon/network-line.ts';
import { Crashed, createProcessLife } from '../../../src/simulator/daemon/process-life.ts';
import { drive } from '../../../src/simulator/time/drive.ts';
import { createVirtualClock } from '../../../src/simulator/time/virtual-clock.ts';

function aTime(falls: Parameters<typeof createProcessLife>[0] = () => false) {
  const timeline = createVirtualTimeline(1_000);
  const life = createProcessLife(falls);
  const wall = { aheadMs: 0 };
  const clock = createVirtualClock(timeline, life, wall);
  return { timeline, life, wall, clock, line: createNetworkLine(timeline, life) };
}

const forever = new AbortController().signal;

describe('driving', () => {
  test('lets long chains of promises settle before time moves on', async () => {
    const { timeline, clock } = aTime();
    const seen: string[] = [];
    const walk = async (name: string, ms: number) => {
      await clock.sleep(ms);
      for (let hop = 0; hop < 50; hop += 1) await Promise.resolve();
      seen.push(`${name} ${timeline.now()}`);
    };
    void walk('late', 20);
    void walk('early', 10);
    void walk('same', 10);
    expect(await drive(timeline, 2_000)).toBe(true);
    expect(seen).toEqual(['early 1010', 'same 1010', 'late 1020']);
    expect(timeline.now()).toBe(2_000);
  });

  test('stops where it is told to, and rejects with what a due thing throws', async () => {
    const { timeline } = aTime();
    let count = 0;
    for (let at = 1; at <= 5; at += 1) timeline.after(at, () => (count += 1));
    expect(await drive(timeline, 2_000, () => count === 2)).toBe(false);
    expect(timeline.now()).toBe(1_002);
    timeline.after(1, () => {
      throw new Error('broken world');
    });
    await expect(drive(timeline, 2_000)).rejects.toThrow('broken world');
  });
});

describe('the clock of a process', () => {
  test('wakes a sleeper early when its signal aborts, and never one of a dead process', async () => {
    const { timeline, life, clock } = aTime();
    const stop = new AbortController();
    const woken: string[] = [];
    void clock.sleep(500, stop.signal).then(() => woken.push(`aborted ${timeline.now()}`));
    void clock.sleep(600).then(() => woken.push('dead'));
    timeline.after(100, () => stop.abort());
    timeline.after(200, () => life.kill());
    await drive(timeline, 5_000);
    expect(woken).toEqual(['aborted 1100']);
  });

  test('jumps with the wall, while lengths of time stay what they are', async () => {
    const { timeline, clock, wall } = aTime();
    wall.aheadMs = -500;
    await drive(timeline, 1_200);
    expect([clock.now(), clock.monotonic()]).toEqual([700, 200]);
  });

  test('has time limits that abort when their time is over or their parent ends', async () => {
    const { timeline, clock } = aTime();
    const parent = new AbortController();
    const [own, child] = [clock.timeout(100), clock.timeout(1_000, parent.signal)];
    const heard: string[] = [];
    own.addEventListener('abort', () => heard.push(`own ${timeline.now()}`));
    child.addEventListener('abort', () => heard.push(`child ${timeline.now()}`));
    timeline.after(300, () => parent.abort());
    expect(own.aborted).toBe(false);
    await drive(timeline, 3_000);
    expect(heard).toEqual(['own 1100', 'child 1300']);
    expect(own.aborted && child.aborted).toBe(true);
    expect((own.reason as Error).name).toBe('TimeoutError');
  });
});

describe('a request over the network', () => {
  const order = (work: () => string, what: string | null = 'call') => ({
    what,
    thereMs: 10,
    backMs: 20,
    signal: forever,
    work,
  });

  test('does its work there and brings the answer back', async () => {
    const { timeline, line } = aTime();
    const answer = line
      .ask(order(() => `done at ${timeline.now()}`))
      .then((text) => `${text}, heard at ${timeline.now()}`);
    await drive(timeline, 2_000);
    expect(await answer).toBe('done at 1010, heard at 1030');
  });

  test('of a process that dies meanwhile still arrives; its answer reaches nobody', async () => {
    const { timeline, life, line } = aTime();
    const seen: string[] = [];
    void line.ask(order(() => String(seen.push('arrived')))).then(() => seen.push('heard'));
    timeline.after(5, () => life.kill());
    await drive(timeline, 2_000);
    expect(seen).toEqual(['arrived']);
  });

  test('can be killed just before it is sent and just after it worked', async () => {
    for (const [side, expected] of [
      ['before', 0],
      ['after', 1],
    ] as const) {
      const { timeline, line } = aTime((point) => point.side === side);
      let arrived = 0;
      const asked = line.ask(order(() => String((arrived += 1))));
      asked.catch((error: unknown) => expect(error).toBeInstanceOf(Crashed));
      await drive(timeline, 2_000);
      expect(arrived).toBe(expected);
    }
  });

  test('is given up when its signal ends, though it may still arrive', async () => {
    const { timeline, clock, line } = aTime();
    let arrived = 0;
    const asked = line.ask({ ...order(() => String((arrived += 1))), signal: clock.timeout(5) });
    const said = asked.catch((error: unknown) => (error as Error).name);
    await drive(timeline, 2_000);
    expect([await said, arrived]).toEqual(['TimeoutError', 1]);
  });
});
