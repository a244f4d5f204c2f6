import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { listenOn, parseListenAddress } from '../../../../src/doors/http/listen-address.ts';
import { createTelemetryApp, type TelemetryDeps } from '../../../../src/doors/http/telemetry-app.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

function appOf(deps: Partial<TelemetryDeps> = {}) {
  const app = createTelemetryApp({
    metrics: () => Promise.resolve('# HELP a b\n'),
    health: () => ({ ok: true, lines: ['loop: 2 s ago'] }),
    ready: () => ({ ok: true, lines: [] }),
    ...deps,
  });
  ends.push(() => app.close());
  return app;
}

describe('pages', () => {
  test('metrics come in the text format of Prometheus', async () => {
    const reply = await appOf().inject('/metrics');
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(reply.body).toBe('# HELP a b\n');
  });

  test('a probe is green or red with its reasons', async () => {
    const green = await appOf().inject('/healthz');
    expect([green.statusCode, green.body]).toEqual([200, 'ok\nloop: 2 s ago\n']);
    const app = appOf({
      health: () => ({ ok: false, lines: ['the store fails: disk full'] }),
      ready: () => ({ ok: false, lines: ['no round yet'] }),
    });
    const red = await app.inject('/healthz');
    expect([red.statusCode, red.body]).toEqual([503, 'not ok\nthe store fails: disk full\n']);
    expect((await app.inject('/readyz')).statusCode).toBe(503);
  });

  test('HEAD answers as GET without a body', async () => {
    const reply = await appOf().inject({ method: 'HEAD', url: '/healthz' });
    expect([reply.statusCode, reply.body]).toEqual([200, '']);
  });

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const)('%s changes nothing', async (method) => {
    for (const url of ['/metrics', '/healthz', '/v1/reload']) {
      const reply = await appOf().inject({ method, url, payload: method === 'OPTIONS' ? '' : '{}' });
      expect(reply.statusCode).toBe(405);
      expect(reply.headers.allow).toBe('GET, HEAD');
      expect(reply.body).toMatch(/^hostler: .*\n$/);
    }
  });

  test.each(['/', '/v1/status', '/metrics/x', '/%2e%2e/etc/passwd', '/%zz'])('%s is no page', async (url) => {
    const reply = await appOf().inject(url);
    expect([400, 404]).toContain(reply.statusCode);
    expect(reply.body).toMatch(/^hostler: .*\n$/);
  });

  test('figures that fail are one line, and the probes go on', async () => {
    const app = appOf({ metrics: () => Promise.reject(new Error('broken\n at x.ts')) });
    const reply = await app.inject('/metrics');
    expect([reply.statusCode, reply.body]).toEqual([500, 'hostler: broken at x.ts\n']);
    expect((await app.inject('/healthz')).statusCode).toBe(200);
  });
});

describe('listen address', () => {
  test.each([
    [':9252', '::', 9252],
    ['127.0.0.1:9252', '127.0.0.1', 9252],
    ['[::1]:9252', '::1', 9252],
    ['localhost:0', 'localhost', 0],
    [' :80 ', '::', 80],
  ])('%j is %s and %i', (text, host, port) => {
    expect(parseListenAddress(text)).toEqual({ host, port });
  });

  test.each(['', '9252', ':', ':x', ':70000', '::1:9252', '[::1]', '[nonsense]:1', 'a b:1', 'http://x:1'])(
    '%j is refused with the right spelling',
    (text) => {
      expect(() => parseListenAddress(text)).toThrow(/write it as ":9252"/);
    },
  );

  test('the door opens where it is told', async () => {
    const url = await listenOn(appOf(), '127.0.0.1:0');
    expect(await (await fetch(`${url}/readyz`)).text()).toBe('ok\n');
  });

  test('a port in use is told with the way out', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => other.close(resolve)));
    const { port } = other.address() as { port: number };
    await expect(listenOn(appOf(), `127.0.0.1:${port}`)).rejects.toMatchObject({
      code: 'port-in-use',
      message: expect.stringMatching(
        /is taken by another process; set \[hostler\] listen_address or HOSTLER_LISTEN_ADDRESS/,
      ) as string,
    });
  });

  test('an address of another machine is told', async () => {
    await expect(listenOn(appOf(), '192.0.2.1:9252')).rejects.toMatchObject({
      code: 'port-in-use',
      message: expect.stringContaining('is no address of this machine') as string,
    });
  });
});
