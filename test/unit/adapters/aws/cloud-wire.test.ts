// createCloud over real HTTP: launches, listings and lost answers as the SDK meets them on the wire.
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createCloud } from '../../../../src/adapters/aws/create-cloud.ts';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import { buildRequest } from '../../../../src/domain/build-request.ts';
import { TAG } from '../../../../src/domain/instance.ts';
import { outcomeOf } from '../../../../src/domain/outcome.ts';
import type { Clock } from '../../../../src/ports/clock.ts';
import {
  type Answer,
  type Asked,
  answerOf,
  type Ec2Server,
  failure,
  instanceXml,
  listAnswer,
  runAnswer,
  startEc2Server,
} from './ec2-server.ts';
import { forever, keepingLog, launchSpec, resolvedLaunch, siteAt } from './specimens.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function stage(
  answer: (asked: Asked, nth: number) => Answer | Promise<Answer>,
  clock: Clock = createClock(),
) {
  const server: Ec2Server = await startEc2Server(answer);
  const log = keepingLog();
  const seen: string[] = [];
  const cloud = createCloud({
    clock,
    log,
    env: {},
    onCall: (call) => seen.push(`${call.action} ${call.outcome}`),
  });
  ends.push(
    () => server.close(),
    () => cloud.close(),
  );
  return { server, cloud, log, seen, site: siteAt(server.endpoint) };
}

const order = {
  token: 'token-1',
  count: 3,
  request: buildRequest(launchSpec(), resolvedLaunch, { userData: '', tags: { [TAG.pool]: 'build' } }),
};

const mine = { [TAG.owner]: 'me' };

describe('launch', () => {
  test('gives the instances with their addresses, and how many EC2 did not give', async () => {
    const { cloud, site, server, seen } = await stage(() =>
      runAnswer(instanceXml('i-1'), instanceXml('i-2')),
    );
    expect(await cloud.launch(site, order, forever)).toMatchObject({
      kind: 'launched',
      instances: [{ id: 'i-1', privateAddress: '10.0.0.9' }, { id: 'i-2' }],
      short: 1,
    });
    expect(server.asked).toHaveLength(1);
    expect(cloud.calls()).toEqual({ RunInstances: 1 });
    expect(cloud.budget(site)).toMatchObject({ launches: 3, instances: 997 });
    expect(seen).toEqual(['RunInstances ok']);
  });

  test.each([
    ['InsufficientInstanceCapacity', 500, 'insufficient-capacity'],
    ['RequestLimitExceeded', 503, 'throttled'],
    ['UnauthorizedOperation', 403, 'denied'],
    ['InvalidAMIID.NotFound', 400, 'invalid'],
    ['BrandNewRefusal', 400, 'invalid'],
  ])('%s is refused after one attempt', async (code, status, kind) => {
    const { cloud, site, server } = await stage(() => failure(status, code));
    expect(await cloud.launch(site, order, forever)).toMatchObject({
      kind: 'refused',
      outcome: { kind, code, message: 'as the test wants it' },
    });
    expect(server.asked).toHaveLength(1);
  });

  const cut = runAnswer(instanceXml('i-1')).body?.slice(0, -40) ?? '';
  const lost: [string, Answer][] = [
    ['an internal error', failure(500, 'InternalError')],
    ['an error nobody knows', failure(500, 'BrandNewTrouble')],
    ['an empty error', { status: 500 }],
    ['an empty success', { status: 200 }],
    ['a page of a proxy', { body: '<html><body>hello</body></html>' }],
    ['a proxy that fails', { status: 502, body: '<html>bad gateway' }],
    ['an answer that is cut off', { body: cut }],
    ['a launch of nothing', runAnswer()],
    ['a hang-up', { raw: (response) => response.destroy() }],
    [
      'a hang-up in mid answer',
      {
        raw: (response) => {
          response.writeHead(200, { 'content-length': '5000' });
          response.write('<RunInstancesResponse>');
          setImmediate(() => response.destroy());
        },
      },
    ],
  ];
  test.each(lost)('%s is a lost answer, never a refusal', async (_what, answer) => {
    const { cloud, site, server } = await stage(() => answer);
    expect(await cloud.launch(site, order, forever)).toMatchObject({
      kind: 'unknown',
      outcome: { kind: 'unknown' },
    });
    expect(server.asked).toHaveLength(1);
  });

  test('a body that stalls ends with the signal', async () => {
    const stop = new AbortController();
    const { cloud, site } = await stage(() => ({
      raw: (response) => {
        response.writeHead(200, { 'content-type': 'text/xml' });
        response.write('<RunInstancesResponse>');
        setImmediate(() => stop.abort());
      },
    }));
    expect(await cloud.launch(site, order, stop.signal)).toMatchObject({ kind: 'unknown' });
  });

  test('an endpoint that nobody serves is a lost answer', async () => {
    const socket = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => socket.once('listening', resolve));
    const { port } = socket.address() as { port: number };
    await new Promise((resolve) => socket.close(resolve));
    const { cloud } = await stage(() => ({}));
    const answer = await cloud.launch(siteAt(`http://127.0.0.1:${port}`), order, forever);
    expect(answer).toMatchObject({ kind: 'unknown', outcome: { code: 'LostAnswer.Refused' } });
  });

  test('throttling closes the budget, and the next launch is refused without a call', async () => {
    const { cloud, site, server } = await stage(() => failure(503, 'RequestLimitExceeded'));
    await cloud.launch(site, order, forever);
    expect(cloud.budget(site).launches).toBe(0);
    const stopped = AbortSignal.abort();
    expect(await cloud.launch(site, order, stopped)).toMatchObject({
      kind: 'unknown',
      outcome: { code: 'Hostler.NotSent' },
    });
    expect(server.asked).toHaveLength(1);
  });

  test('beyond the resource tokens a launch is refused as throttled', async () => {
    const { cloud, site, server } = await stage(() => runAnswer(instanceXml('i-1')));
    const answer = await cloud.launch(site, { ...order, count: 1_500 }, forever);
    expect(answer).toMatchObject({
      kind: 'refused',
      outcome: { kind: 'throttled', code: 'Hostler.OwnRate' },
    });
    expect(server.asked).toHaveLength(0);
  });

  test('no log line and no message holds the secret key', async () => {
    const { cloud, site, log } = await stage(() => failure(403, 'SignatureDoesNotMatch'));
    const answer = await cloud.launch(site, order, forever);
    expect(JSON.stringify([answer, log.lines])).not.toContain('not-for-any-log');
  });
});

describe('list', () => {
  test('asks by owner tag in large pages and reads them all', async () => {
    const { cloud, site, server } = await stage((_asked, nth) =>
      nth === 1
        ? listAnswer([instanceXml('i-1', { tags: mine }), instanceXml('i-2', { tags: mine })], 'p2')
        : listAnswer([instanceXml('i-3', { tags: mine, state: 'terminated' })]),
    );
    expect((await cloud.list(site, 'me', forever)).map((one) => one.id)).toEqual(['i-1', 'i-2', 'i-3']);
    expect(server.asked.map(({ params }) => [params['MaxResults'], params['NextToken']])).toEqual([
      ['1000', undefined],
      ['1000', 'p2'],
    ]);
    expect(server.asked[0]?.params).toMatchObject({
      'Filter.1.Name': 'tag:hostler:owner',
      'Filter.1.Value.1': 'me',
    });
  });

  test('nothing there is an empty list', async () => {
    const { cloud, site } = await stage(() => listAnswer([]));
    expect(await cloud.list(site, 'me', forever)).toEqual([]);
  });

  test.each([
    ['an empty answer', {}],
    ['a page of a proxy', { body: '<html></html>' }],
    ['a listing without its list', answerOf('DescribeInstances', '')],
    ['an error', failure(500, 'InternalError')],
    ['a hang-up', { raw: (response) => response.destroy() } satisfies Answer],
  ] as [string, Answer][])('%s throws and never reads as empty', async (_what, answer) => {
    const { cloud, site } = await stage(() => answer);
    const error = await cloud.list(site, 'me', forever).catch((thrown: unknown) => thrown);
    expect(outcomeOf(error)).toMatchObject({ kind: 'unknown' });
    expect(error).toMatchObject({ code: 'cloud-refused' });
  });

  test('a later page that fails fails the whole listing', async () => {
    const { cloud, site } = await stage((_asked, nth) =>
      nth === 1
        ? listAnswer([instanceXml('i-1', { tags: mine })], 'p2')
        : failure(503, 'RequestLimitExceeded'),
    );
    await expect(cloud.list(site, 'me', forever)).rejects.toMatchObject({ code: 'cloud-refused' });
  });

  test('pages that lead in a circle throw', async () => {
    const { cloud, site } = await stage(() => listAnswer([instanceXml('i-1', { tags: mine })], 'again'));
    await expect(cloud.list(site, 'me', forever)).rejects.toThrow(/pages without end/);
  });

  test('an owner with wildcards finds itself only', async () => {
    const { cloud, site, server } = await stage(() =>
      listAnswer([instanceXml('i-1', { tags: { [TAG.owner]: 'm*' } }), instanceXml('i-2', { tags: mine })]),
    );
    expect((await cloud.list(site, 'm*', forever)).map((one) => one.id)).toEqual(['i-1']);
    expect(server.asked[0]?.params['Filter.1.Value.1']).toBe(String.raw`m\*`);
  });

  test('a large answer is read in another thread to the same result', async () => {
    const many = Array.from({ length: 900 }, (_, n) => instanceXml(`i-${n}`, { tags: mine }));
    const { cloud, site } = await stage((_asked, nth) =>
      nth < 3 ? listAnswer(many, `p${nth + 1}`) : { body: listAnswer(many).body?.slice(0, -30) ?? '' },
    );
    await expect(cloud.list(site, 'me', forever)).rejects.toThrow(/cannot be read/);
    const whole = await stage(() => listAnswer(many));
    const found = await whole.cloud.list(whole.site, 'me', forever);
    expect(found).toHaveLength(900);
    expect(found[899]).toMatchObject({ id: 'i-899', state: 'running', tags: mine });
  });
});

describe('listLaunches', () => {
  test('asks for the given launches, at most 200 in one call, and for none without a call', async () => {
    const { cloud, site, server } = await stage(() =>
      listAnswer([instanceXml('i-1', { tags: { [TAG.launch]: 't-7' } }), instanceXml('i-2')]),
    );
    expect(await cloud.listLaunches(site, [], forever)).toEqual([]);
    expect(server.asked).toHaveLength(0);
    const tokens = Array.from({ length: 250 }, (_, n) => `t-${n}`);
    const found = await cloud.listLaunches(site, tokens, forever);
    expect(new Set(found.map((one) => one.id))).toEqual(new Set(['i-1']));
    expect(server.asked).toHaveLength(2);
    expect(server.asked[0]?.params).toMatchObject({
      'Filter.1.Name': 'tag:hostler:launch',
      'Filter.1.Value.200': 't-199',
    });
  });
});

describe('terminate', () => {
  const ended = (asked: Asked) =>
    answerOf(
      'TerminateInstances',
      `<instancesSet>${idsOf(asked)
        .map(
          (id) =>
            `<item><instanceId>${id}</instanceId><currentState><code>32</code><name>shutting-down</name></currentState></item>`,
        )
        .join('')}</instancesSet>`,
    );
  const idsOf = (asked: Asked) =>
    Object.entries(asked.params).flatMap(([key, value]) => (key.startsWith('InstanceId.') ? [value] : []));

  test('one unknown id does not keep the others alive', async () => {
    const { cloud, site, server } = await stage((asked) =>
      idsOf(asked).includes('i-bad')
        ? failure(400, 'InvalidInstanceID.NotFound', "The instance ID 'i-bad' does not exist")
        : ended(asked),
    );
    const answers = await cloud.terminate(site, ['i-1', 'i-bad', 'i-2'], forever);
    expect(answers).toMatchObject([
      { instance: 'i-1', kind: 'accepted' },
      { instance: 'i-bad', kind: 'failed', outcome: { kind: 'not-found' } },
      { instance: 'i-2', kind: 'accepted' },
    ]);
    expect(server.asked).toHaveLength(2);
  });

  test('an empty answer accepts nothing', async () => {
    const { cloud, site } = await stage(() => ({}));
    expect(await cloud.terminate(site, ['i-1'], forever)).toMatchObject([
      { kind: 'failed', outcome: { kind: 'unknown' } },
    ]);
  });
});

describe('consoleOutput', () => {
  test('asks older types without the live console', async () => {
    const { cloud, site } = await stage((asked) =>
      asked.params['Latest'] === 'true'
        ? failure(400, 'UnsupportedOperation')
        : answerOf('GetConsoleOutput', `<output>${Buffer.from('boot failed').toString('base64')}</output>`),
    );
    expect(await cloud.consoleOutput(site, 'i-1', forever)).toBe('boot failed');
  });

  test.each([
    ['none yet', answerOf('GetConsoleOutput', '<instanceId>i-1</instanceId>')],
    ['a refusal', failure(403, 'UnauthorizedOperation')],
  ])('%s is null', async (_what, answer) => {
    const { cloud, site } = await stage(() => answer);
    expect(await cloud.consoleOutput(site, 'i-1', forever)).toBeNull();
  });
});

describe('a clock that is off', () => {
  test('is told by the answers of EC2, refusals too', async () => {
    const HOUR_MS = 3_600_000;
    const late = createClock();
    const clock: Clock = { ...late, now: () => late.now() - HOUR_MS };
    const { cloud, site } = await stage(() => failure(400, 'InvalidParameterValue', 'no'), clock);
    expect(cloud.clockAhead(site)).toBe(0);
    await cloud.launch(site, order, forever);
    expect(cloud.clockAhead(site)).toBeGreaterThan(HOUR_MS - 10_000);
    expect(cloud.clockAhead(site)).toBeLessThan(HOUR_MS + 10_000);
  });
});
