// Spot's bad hours at their full size, on virtual time: a drought of an hour with 50 jobs, a quota, a wave of reclaims.
// Trap: the simulated cloud launches by RunInstances alone; fleets and spot requests are tried end to end.
import { afterEach, describe, expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/domain/units.ts';
import { isEnded } from '../../src/sim/gitlab/job.ts';
import type { SimInstance } from '../../src/sim/instance.ts';
import { prepareSimKeys } from '../../src/simulator/daemon/sim-keys.ts';
import { configOf } from '../../src/simulator/run/config-of.ts';
import { driven } from '../../src/simulator/run/runner-file.ts';
import { createStage, type Stage } from '../../src/simulator/run/stage.ts';
import { leftovers } from '../../src/simulator/run/watched-stage.ts';
import { drive } from '../../src/simulator/time/drive.ts';
import { SIM_START } from '../support/sim-stage.ts';

const BOOT_MS = 40 * SECOND_MS;
const place = { type: 'm5.large', zone: 'eu-central-1a', market: 'spot' as const };

const fileWith = (wish: { own?: string; limit?: number; isSpot?: boolean }) => `
concurrent = 2000
[[runners]]
  name = "story"
  url = "https://gitlab.example.com"
  token = "glrt-story00000000000"
  executor = "docker+machine"
  limit = ${wish.limit ?? 50}
  [runners.docker]
    image = "alpine"
  [runners.machine]
    IdleCount = 0
    IdleTime = 300
    MaxBuilds = 10
    MachineDriver = "amazonec2"
    MachineName = "ci-%s"
    MachineOptions = [
      "amazonec2-region=eu-central-1",
      "amazonec2-zone=a",
      "amazonec2-instance-type=m5.large",
      "amazonec2-use-private-address=true",
      ${wish.isSpot === false ? '' : '"amazonec2-request-spot-instance=true", "amazonec2-spot-price=",'}
    ]
  [runners.hostler]
    create_wait = "58m"
${wish.own ?? ''}
`;

const LAUNCHING = new Set(['RunInstances', 'CreateFleet', 'RequestSpotInstances']);

type Call = { action: string; answer: string; at: number };

let stage: Stage;
let calls: Call[];
afterEach(() => stage.daemon.crash(null));

async function begin(wish: Parameters<typeof fileWith>[0]): Promise<void> {
  const config = await configOf(fileWith(wish));
  calls = [];
  stage = createStage({
    startAt: SIM_START,
    seed: 1,
    config: { ...config, pools: config.pools.map((pool) => driven(pool, 'on-demand')) },
    way: 'on-demand',
    bootMs: BOOT_MS,
    pem: await prepareSimKeys(SIM_START),
    odds: { missedWord: 0, ownCreateFirst: 0 },
    hooks: { onCall: (action, answer) => void calls.push({ action, answer, at: stage.timeline.now() }) },
  });
  stage.daemon.start();
  stage.runner.start();
}

const now = () => stage.timeline.now();
const pass = (ms: number) => drive(stage.timeline, now() + ms);
const alive = () => stage.world.instances().filter(({ endingAt }) => endingAt === null);
const launches = () => calls.filter(({ action }) => LAUNCHING.has(action)).length;
const onDemand = () => alive().filter(({ market }) => market === 'on-demand').length;
const vcpusOfSpot = () => alive().filter(({ market }) => market === 'spot').length * 2;
const waits = () =>
  [...stage.gitlab.jobs()].map(({ hostAt, queuedAt }) => (hostAt ?? Infinity) - (queuedAt ?? 0));
const events = () => stage.daemon.disk.events;
const rows = () => [...stage.daemon.disk.tables.machines.values()];
const hasJob = ({ id }: SimInstance) => stage.jobHosts.jobsOn(id).length > 0;

function enqueue(count: number, durationMs: number): void {
  for (let job = 0; job < count; job++) stage.gitlab.enqueue({ durationMs });
}

/** Runs second by second until it is so. */
async function until(what: string, isSo: () => boolean, mostMs: number): Promise<void> {
  const end = now() + mostMs;
  while (now() < end && !isSo()) await pass(SECOND_MS);
  if (!isSo()) throw new Error(`not within ${mostMs / SECOND_MS} simulated seconds: ${what}`);
}

/** All jobs end, the idle machines too, and nothing is left of them. */
async function nothingLeft(): Promise<void> {
  await until('all jobs to end', () => [...stage.gitlab.jobs()].every(isEnded), 2 * HOUR_MS);
  await until('an empty account', () => leftovers(stage).length === 0, HOUR_MS);
}

describe('an hour of drought on the only offering with 50 jobs', () => {
  test('costs at most 40 calls; the first machine is there within 3 min of its end, all 50 one call later', async () => {
    // A create waits 59 min at most; the idle machine makes the drought felt from its first minute on.
    await begin({ own: '    idle_count = 1' });
    stage.world.capacity.set(place, 0);
    let mostOpen = 0;
    for (let step = 0; step < 360; step++) {
      if (step === 18) enqueue(50, 10 * MINUTE_MS);
      await pass(10 * SECOND_MS);
      const open = stage.world.spotRequests().filter(({ state }) => state === 'open').length;
      mostOpen = Math.max(mostOpen, open);
    }
    const tries = launches();
    expect(tries).toBeGreaterThan(15);
    expect(tries).toBeLessThanOrEqual(40);
    expect(mostOpen).toBeLessThanOrEqual(20);
    stage.world.capacity.set(place, null);
    await until('the first machine', () => alive().length > 0, 3 * MINUTE_MS);
    await until('all machines', () => alive().length >= 50, MINUTE_MS);
    expect(launches() - tries).toBe(2);
    await until('all jobs to run', () => stage.jobHosts.count() === 50, BOOT_MS + 15 * SECOND_MS);
  });

  test('when-short: jobs start on demand after fallback_after and a boot, and spot has its share again afterwards', async () => {
    await begin({ own: '    on_demand = "when-short"\n    fallback_after = "1m"' });
    stage.world.capacity.set(place, 0);
    enqueue(50, 10 * MINUTE_MS);
    await until('all jobs to run', () => stage.jobHosts.count() === 50, 5 * MINUTE_MS);
    expect(Math.max(...waits())).toBeLessThanOrEqual(MINUTE_MS + BOOT_MS);
    expect(onDemand()).toBe(50);
    stage.world.capacity.set(place, null);
    await until('the jobs to end', () => stage.jobHosts.count() === 0, 15 * MINUTE_MS);
    await until('the idle machines to end', () => alive().length === 0, 15 * MINUTE_MS);
    enqueue(50, 10 * MINUTE_MS);
    await until('all jobs to run again', () => stage.jobHosts.count() === 50, 5 * MINUTE_MS);
    expect(onDemand()).toBe(0);
    await nothingLeft();
  });
});

test('a drought in five of six offerings costs no job a wait beyond one more call', async () => {
  const six = ['m5.large', 'm6i.large', 'm6a.large', 'm5a.large', 'm7i.large', 'm7a.large'];
  await begin({ own: `    instance_types = [${six.map((type) => `"${type}"`).join(', ')}]` });
  for (const type of six.slice(0, 5)) stage.world.capacity.set({ ...place, type }, 0);
  enqueue(50, 10 * MINUTE_MS);
  await until('all jobs to run', () => stage.jobHosts.count() === 50, 3 * MINUTE_MS);
  // Claiming, one fleet, its template, provisioning: what a burst costs beside its boot; and one more call.
  expect(Math.max(...waits())).toBeLessThanOrEqual(BOOT_MS + 10 * SECOND_MS);
  expect(launches()).toBeLessThanOrEqual(2);
  expect(calls.some(({ action }) => action === 'CreateFleet')).toBe(true);
  expect(new Set(alive().map(({ type }) => type))).toEqual(new Set(['m7a.large']));
  // The template stays while a pool launches by fleets.
  const left = () => leftovers(stage).filter((one) => !one.startsWith('lt-'));
  await until('nothing but the template to be left', () => left().length === 0, 2 * HOUR_MS);
});

test('a spot quota of 32 vCPU is filled; what goes beyond it comes on demand, with few calls and one message', async () => {
  await begin({ own: '    on_demand = "when-short"\n    fallback_after = "1m"' });
  stage.world.quotas.set({ market: 'spot', class: 'standard' }, 32);
  enqueue(50, 20 * MINUTE_MS);
  await until('all jobs to run', () => stage.jobHosts.count() === 50, 10 * MINUTE_MS);
  const rests = [...stage.daemon.disk.tables.rests.values()].filter(
    ({ outcome }) => outcome.kind === 'quota',
  );
  expect(vcpusOfSpot()).toBe(32);
  expect(onDemand()).toBe(34);
  expect(launches()).toBeLessThanOrEqual(15);
  expect(rests).toHaveLength(1);
  expect(rests[0]?.outcome.message).toMatch(/quota L-34B43A08, .*: 32 vCPUs/);
  await nothingLeft();
});

test('a reclaim of 10 of 30 hosts: replacements within 6 s, no new lease on them, five lost jobs named, nothing left', async () => {
  await begin({ own: '    idle_count = 10' });
  enqueue(20, 15 * MINUTE_MS);
  const stands = () =>
    stage.jobHosts.count() === 20 && rows().filter(({ phase }) => phase === 'ready').length === 10;
  await until('20 busy and 10 idle hosts', stands, 10 * MINUTE_MS);
  await pass(MINUTE_MS);
  const busy = alive().filter(hasJob).slice(0, 5);
  const idle = alive()
    .filter((one) => !hasJob(one))
    .slice(0, 5);
  const jobs = busy.flatMap(({ id }) => stage.jobHosts.jobsOn(id));
  const known = new Set(rows().map(({ id }) => id));
  const leasesBefore = new Set(rows().flatMap(({ lease }) => (lease === null ? [] : [lease])));
  for (const one of [...busy, ...idle])
    expect(stage.world.region('eu-central-1').unaskedEnds.reclaim(one, 2 * MINUTE_MS)).toBe(true);
  const at = now();
  const fresh = () => rows().filter(({ id }) => !known.has(id));
  await until('replacements', () => fresh().length >= 10, 12 * SECOND_MS);
  const replacedMs = now() - at;
  const taken = new Set([...busy, ...idle].map(({ id }) => id));
  enqueue(10, 5 * MINUTE_MS);
  for (let step = 0; step < 150; step++) {
    await pass(SECOND_MS);
    for (const { instance, lease } of rows())
      if (taken.has(instance ?? '') && lease !== null) expect(leasesBefore).toContain(lease);
  }
  await until(
    'the lost jobs',
    () => events().filter(({ code }) => code === 'job-lost').length >= 5,
    3 * MINUTE_MS,
  );
  const lost = events().filter(({ code }) => code === 'job-lost');
  expect(replacedMs).toBeLessThanOrEqual(6 * SECOND_MS);
  expect(lost).toHaveLength(5);
  for (const job of jobs) expect(lost.some(({ text }) => text.includes(String(job)))).toBe(true);
  await until('all jobs to end', () => [...stage.gitlab.jobs()].every(isEnded), 2 * HOUR_MS);
  expect(alive().some(({ id }) => taken.has(id))).toBe(false);
  expect(rows().filter(({ instance, phase }) => taken.has(instance ?? '') && phase !== 'gone')).toEqual([]);
  expect(fresh().length).toBeLessThanOrEqual(20);
});
