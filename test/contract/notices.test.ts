// What is heard of instances that are about to leave: from a queue of events and from spot requests, against the emulated
// cloud over real HTTP.
import { describe, expect, onTestFinished, test } from 'vitest';
import { createNotices } from '../../src/adapters/aws/create-notices.ts';
import { outcomeOf } from '../../src/domain/outcome.ts';
import { noticesOfRequests } from '../../src/domain/spot-request.ts';
import { type CloudStage, startCloudStage } from '../support/cloud-stage.ts';
import { forever, siteAt } from '../unit/adapters/aws/specimens.ts';

async function stage() {
  const it = await startCloudStage({}, { market: 'spot', markets: ['spot'] });
  const notices = createNotices({ clock: it.clock });
  onTestFinished(() => notices.close());
  const queue = { site: it.site, url: `${it.emulator.endpoint}/123456789012/hostler` };
  return { ...it, notices, queue };
}

/** A running spot instance. */
async function running({ launch, cloud, site, look }: CloudStage): Promise<string> {
  const answer = await launch('t-1', 1);
  if (answer.kind !== 'launched') throw new Error(JSON.stringify(answer));
  await look(
    () => cloud.list(site, 'me', forever),
    (list) => list[0]?.state === 'running',
  );
  return answer.instances[0]?.id ?? '';
}

const tell = async (it: CloudStage, what: 'reclaim' | 'rebalance', instance: string) =>
  (await fetch(`${it.emulator.endpoint}/_emulator/${what}?instance=${instance}`, { method: 'POST' })).status;

describe('a queue of events', () => {
  test('tells changes of state, advice and interruptions in their order, each once acknowledged', async () => {
    const it = await stage();
    const instance = await running(it);
    expect(await tell(it, 'rebalance', instance)).toBe(200);
    expect(await tell(it, 'reclaim', instance)).toBe(200);
    const batch = await it.notices.poll(it.queue, forever);
    expect(batch.notices.map(({ kind, code, source }) => `${kind} ${code} ${source}`)).toEqual([
      'state running queue',
      'rebalance rebalance queue',
      'interruption terminate queue',
    ]);
    const [, , told] = batch.notices;
    expect((told?.deadline ?? 0) - (told?.at ?? 0)).toBe(120_000);
    expect(new Set(batch.notices.map((notice) => notice.instance))).toEqual(new Set([instance]));
    await batch.acknowledge(forever);
    await it.cloud.terminate(it.site, [instance], forever);
    const next = await it.notices.poll(it.queue, forever);
    expect(next.notices[0]).toMatchObject({ instance, kind: 'state', code: 'shutting-down' });
  });

  test('is waited at until something comes', async () => {
    const it = await stage();
    const instance = await running(it);
    await (await it.notices.poll(it.queue, forever)).acknowledge(forever);
    const polled = it.notices.poll(it.queue, forever);
    await tell(it, 'reclaim', instance);
    expect((await polled).notices).toMatchObject([{ instance, kind: 'interruption' }]);
  });

  test('a poll ends when it is called off, and says that it was not an empty answer', async () => {
    const it = await stage();
    const stop = new AbortController();
    const polled = it.notices.poll(it.queue, stop.signal).catch((error: unknown) => outcomeOf(error));
    stop.abort();
    expect(await polled).toMatchObject({ kind: 'unknown' });
  });

  test('that refuses is an error with its outcome', async () => {
    const it = await stage();
    it.emulator.world.faults.set({ code: 'AccessDeniedException', rate: 1, action: 'ReceiveMessage' });
    it.emulator.world.faults.set({ code: 'QueueDoesNotExist', rate: 1, action: 'ReceiveMessage' });
    const error = await it.notices.poll(it.queue, forever).catch((thrown: unknown) => outcomeOf(thrown));
    expect(error).toMatchObject({ kind: 'invalid', code: 'QueueDoesNotExist' });
  });

  test('rotated keys are used from the next poll on', async () => {
    const it = await stage();
    await running(it);
    await it.notices.poll(it.queue, forever);
    const site = siteAt(it.emulator.endpoint, {
      credentials: { ...it.site.credentials, accessKeyId: 'AKIDNEW' } as typeof it.site.credentials,
    });
    it.emulator.world.events.tell('state', 'eu-central-1', it.emulator.world.instances()[0] as never);
    expect((await it.notices.poll({ ...it.queue, site }, forever)).notices).toHaveLength(1);
  });
});

describe('spot requests', () => {
  test('of a reclaimed instance are closed while it still runs: that is the notice', async () => {
    const it = await stage();
    const instance = await running(it);
    const look = () => it.cloud.listSpotRequests(it.site, 'me', forever);
    expect(noticesOfRequests(await look(), () => true)).toEqual([]);
    await tell(it, 'reclaim', instance);
    const requests = await look();
    expect(requests).toMatchObject([
      { state: 'closed', status: 'instance-terminated-no-capacity', instance },
    ]);
    const [list] = [await it.cloud.list(it.site, 'me', forever)];
    expect(list[0]?.state).toBe('running');
    const [notice] = noticesOfRequests(requests, (id) =>
      list.some((one) => one.id === id && one.state === 'running'),
    );
    expect(notice).toMatchObject({ instance, kind: 'interruption', source: 'spot-requests' });
    expect((notice?.deadline ?? 0) - (notice?.at ?? 0)).toBe(120_000);
    expect(noticesOfRequests(requests, () => false)).toEqual([]);
  });
});
