// The calls by which gitlab-runner speaks to the emulated GitLab, as a runner makes them.
import { afterEach, describe, expect, test } from 'vitest';
import { type EmulatedGitlab, startGitlab } from '../../../../src/emulator/gitlab/start-gitlab.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

type Payload = {
  id: number;
  job_info: { queue_size: number; queue_depth: number };
  token: string;
  steps: { script: string[] }[];
  image: { name: string } | null;
  variables: { key: string; value: string; masked: boolean }[];
  runner_info: { timeout: number };
};

async function start() {
  const gitlab: EmulatedGitlab = await startGitlab();
  ends.push(() => gitlab.close());
  const call = async (method: string, path: string, body: unknown, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${gitlab.url}/api/v4/${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text };
  };
  const claim = async (token = 'glrt-mine', features: object = { cancelable: true }) => {
    const { status, text } = await call('POST', 'jobs/request', { token, info: { features } });
    return { status, job: text === '' ? null : (JSON.parse(text) as Payload) };
  };
  const claimed = async (features?: object): Promise<Payload> => {
    const { job } = await claim('glrt-mine', features);
    if (job === null) throw new Error('no job was given');
    return job;
  };
  const update = (job: Payload, state: string, more: object = {}) =>
    call('PUT', `jobs/${job.id}`, { token: job.token, state, ...more });
  const patch = (job: Payload, from: number, text: string) =>
    call('PATCH', `jobs/${job.id}/trace?debug_trace=false`, text, {
      'content-type': 'text/plain',
      'content-range': `${from}-${from + Buffer.byteLength(text) - 1}`,
      'job-token': job.token,
    });
  const status = (job: Payload) => gitlab.gitlab.job(job.id)?.status;
  return { gitlab, call, claim, claimed, update, patch, status };
}

describe('a runner', () => {
  test('is known by its token, and one that nobody made takes untagged jobs', async () => {
    const { gitlab, call, claim } = await start();
    gitlab.control('POST', 'runners', { tags: ['docker'], run_untagged: false, token: 'glrt-tagged' });
    gitlab.control('POST', 'jobs', { tags: ['docker'] });
    const verified = await call('POST', 'runners/verify', { token: 'glrt-tagged' });
    expect([verified.status, JSON.parse(verified.text)]).toMatchObject([
      200,
      { id: 1, token: 'glrt-tagged' },
    ]);
    expect((await call('POST', 'runners/verify', {})).status).toBe(403);
    expect((await claim('glrt-new')).status).toBe(204);
    expect((await claim('glrt-tagged')).status).toBe(201);
    expect(gitlab.gitlab.runners().map(({ token }) => token)).toEqual(['glrt-tagged', 'glrt-new']);
  });

  test('hears with each job how many fitted it, as its metrics show', async () => {
    const { gitlab, claimed } = await start();
    gitlab.control('POST', 'jobs', { count: 3 });
    gitlab.control('POST', 'jobs', { tags: ['gpu'] });
    const told = [await claimed(), await claimed(), await claimed()].map(({ job_info: info }) => info);
    expect(told).toMatchObject([3, 2, 1].map((size) => ({ queue_size: size, queue_depth: 1 })));
  });

  test('gets a job with what it needs to run it without a repository', async () => {
    const { gitlab, claimed } = await start();
    gitlab.control('POST', 'jobs', { script: ['make'], image: 'box', timeout_s: 90 });
    gitlab.control('POST', 'jobs', { duration_s: 2, fails: true });
    const [own, usual] = [await claimed(), await claimed()];
    expect([own.steps[0]?.script, own.image, own.runner_info.timeout]).toEqual([
      ['make'],
      { name: 'box' },
      90,
    ]);
    expect(own.variables).toContainEqual(expect.objectContaining({ key: 'GIT_STRATEGY', value: 'none' }));
    expect(own.variables.filter(({ masked }) => masked).map(({ value }) => value)).toEqual([own.token]);
    expect(usual.steps[0]?.script.slice(1)).toEqual(['sleep 2', 'exit 1']);
    expect(usual.image).toBeNull();
  });

  test('ends its job with the reason it found', async () => {
    const { gitlab, claimed, update, status } = await start();
    gitlab.control('POST', 'jobs', { count: 3 });
    const [good, bad, odd] = [await claimed(), await claimed(), await claimed()];
    const alive = await update(good, 'running');
    expect([alive.status, alive.headers.get('job-status')]).toEqual([200, 'running']);
    await update(good, 'success');
    await update(bad, 'failed', { failure_reason: 'runner_system_failure', exit_code: 1 });
    await update(odd, 'failed', { failure_reason: 'of_tomorrow' });
    expect([good, bad, odd].map(status)).toEqual(['success', 'failed', 'failed']);
    const reasons = [bad, odd].map(({ id }) => gitlab.gitlab.job(id)?.failure);
    expect(reasons).toEqual(['runner_system_failure', 'unknown_failure']);
    expect((await update(good, 'running')).status).toBe(403);
  });

  test('may not speak of a job with the token of another', async () => {
    const { gitlab, claimed, update, status } = await start();
    gitlab.control('POST', 'jobs', { count: 2 });
    const [one, two] = [await claimed(), await claimed()];
    expect((await update({ ...one, token: two.token }, 'success')).status).toBe(403);
    expect(status(one)).toBe('running');
    expect((await update({ ...one, id: 7 }, 'success')).status).toBe(404);
  });
});

describe('a log', () => {
  test('grows by pieces, in bytes, and is read as GitLab shows it', async () => {
    const { gitlab, call, claimed, patch } = await start();
    gitlab.control('POST', 'jobs', {});
    const job = await claimed();
    const first = await patch(job, 0, 'größe\n');
    expect([first.status, first.headers.get('range')]).toEqual([202, '0-8']);
    const gap = await patch(job, 20, 'late');
    expect([gap.status, gap.headers.get('range')]).toEqual([416, '0-8']);
    expect((await patch(job, 8, 'end\n')).headers.get('range')).toBe('0-12');
    const shown = await fetch(`${gitlab.url}/api/v4/projects/1/jobs/${job.id}/trace`, {
      headers: { 'private-token': 'x' },
    });
    expect(await shown.text()).toBe('größe\nend\n');
    expect((await call('POST', `jobs/${job.id}/artifacts`, 'zip', { 'job-token': job.token })).status).toBe(
      201,
    );
  });
});

describe('a cancelled job', () => {
  test('ends when a runner that can cancel says so', async () => {
    const { gitlab, claimed, update, patch, status } = await start();
    gitlab.control('POST', 'jobs', {});
    const job = await claimed();
    gitlab.control('POST', 'cancel', { job: job.id });
    const told = await patch(job, 0, 'x');
    expect([told.status, told.headers.get('job-status')]).toEqual([202, 'canceling']);
    await update(job, 'failed', { failure_reason: 'job_canceled' });
    expect(status(job)).toBe('canceled');
  });

  test('is over at once for a runner that cannot', async () => {
    const { gitlab, claimed, patch, status } = await start();
    gitlab.control('POST', 'jobs', {});
    const job = await claimed({});
    gitlab.control('POST', 'cancel', { job: job.id });
    const told = await patch(job, 0, 'x');
    expect([told.status, told.headers.get('job-status')]).toEqual([403, 'canceled']);
    expect(status(job)).toBe('canceled');
  });
});
