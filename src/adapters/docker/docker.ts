// The Docker port over the hosts' HTTP API: health, the runner's containers, and cleaning between leases.
// Cleaning must not touch images, named volumes, or anything without the runner's labels: a cache there is what makes
// reuse worth it. Pruning may, but only when a full disk asks for it.
// Trap: Docker filters labels by whole keys only, and the runner's set of keys changed over its releases; so all are
// listed and the prefix is compared here.
import { z } from 'zod';
import { HostlerError, messageOf } from '../../domain/error.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Docker, DockerHost, JobContainer } from '../../ports/docker.ts';
import { type ApiCall, createDockerApi } from './api.ts';

/** Every container, network and volume that gitlab-runner makes has labels that begin so. */
export const RUNNER_LABEL_PREFIX = 'com.gitlab.gitlab-runner.';

const labels = z.record(z.string(), z.string()).nullish();
const dockerId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/);
const containerList = z.array(z.object({ Id: dockerId, State: z.string(), Labels: labels })).max(10_000);
const networkList = z.array(z.object({ Id: dockerId, Labels: labels })).max(10_000);
const networkDetail = z.object({ Containers: z.record(z.string(), z.unknown()).nullish() });

/** 404: gone already. 409: another removal of it is under way. */
const GONE_ALREADY: readonly number[] = [404, 409];

function isRunners(given: Readonly<Record<string, string>> | null | undefined): boolean {
  return Object.keys(given ?? {}).some((key) => key.startsWith(RUNNER_LABEL_PREFIX));
}

function parse<T>(schema: z.ZodType<T>, body: string, place: string): T {
  try {
    return schema.parse(JSON.parse(body));
  } catch (error) {
    throw new HostlerError(
      'host-unreachable',
      `Docker API of ${place} answered something else: ${messageOf(error)}`,
      {
        where: place,
        cause: error,
      },
    );
  }
}

/** Job URLs are printed and stored: only plain http(s) ones of sane length pass. */
function urlOf(text: string | undefined): string | null {
  return text !== undefined && /^https?:\/\/[^\s"'<>]{1,1000}$/.test(text) ? text : null;
}

/** GitLab's numbers; a job may put any text in labels of its own containers. */
function numberOf(text: string | undefined): string | null {
  return text !== undefined && /^\d{1,19}$/.test(text) ? text : null;
}

/** Docker's `filters` of a query. */
function filters(given: Readonly<Record<string, readonly string[]>>): string {
  return `filters=${encodeURIComponent(JSON.stringify(given))}`;
}

/** One client for all hosts. Time limits come from the clock or the caller's signal. */
export function createDocker(deps: { clock: Clock }): Docker {
  const api = createDockerApi(deps);

  async function expect(host: DockerHost, call: ApiCall, signal: AbortSignal): Promise<string> {
    const { status, body } = await api.call(host, call, signal);
    if (status >= 200 && status < 300) return body;
    const place = `${host.address}:${host.port}`;
    throw new HostlerError(
      'host-unreachable',
      `Docker API of ${place} answered ${status} to ${call.method} ${call.path.split('?')[0] ?? ''}: ${messageOf(body).slice(0, 200)}`,
      { where: place },
    );
  }

  async function listContainers(host: DockerHost, signal: AbortSignal): Promise<JobContainer[]> {
    const body = await expect(host, { method: 'GET', path: '/containers/json?all=1' }, signal);
    return parse(containerList, body, `${host.address}:${host.port}`)
      .filter((container) => isRunners(container.Labels))
      .map((container) => ({
        id: container.Id,
        running: ['running', 'paused', 'restarting'].includes(container.State),
        jobId: container.Labels?.[`${RUNNER_LABEL_PREFIX}job.id`] ?? null,
        projectId: numberOf(container.Labels?.[`${RUNNER_LABEL_PREFIX}project.id`]),
        pipelineId: numberOf(container.Labels?.[`${RUNNER_LABEL_PREFIX}pipeline.id`]),
        jobUrl: urlOf(container.Labels?.[`${RUNNER_LABEL_PREFIX}job.url`]),
      }));
  }

  async function remove(host: DockerHost, path: string, signal: AbortSignal): Promise<void> {
    const { status } = await api.call(host, { method: 'DELETE', path }, signal);
    if (GONE_ALREADY.includes(status)) return;
    if (status < 200 || status >= 300) await expect(host, { method: 'DELETE', path }, signal);
  }

  async function removeNetwork(host: DockerHost, id: string, signal: AbortSignal): Promise<void> {
    const found = await api.call(host, { method: 'GET', path: `/networks/${id}` }, signal);
    if (found.status === 404) return;
    const { Containers } = parse(networkDetail, found.body, `${host.address}:${host.port}`);
    // A job with the Docker socket may have joined containers without labels; they must not keep the network alive.
    for (const container of Object.keys(Containers ?? {})) {
      const path = `/networks/${id}/disconnect`;
      await api.call(host, { method: 'POST', path, body: { Container: container, Force: true } }, signal);
    }
    await remove(host, `/networks/${id}`, signal);
  }

  async function prune(host: DockerHost, what: 'spare' | 'caches', signal: AbortSignal): Promise<void> {
    const caches = what === 'caches';
    const post = (path: string) => expect(host, { method: 'POST', path }, signal);
    await post('/containers/prune');
    await post(`/images/prune?${filters({ dangling: [caches ? 'false' : 'true'] })}`);
    await post(`/build/prune?all=${caches ? '1' : '0'}`);
    if (!caches) return;
    const all = `/volumes/prune?${filters({ all: ['true'] })}`;
    const { status } = await api.call(host, { method: 'POST', path: all }, signal);
    // Before API 1.42 every unused volume is meant anyway, and the filter is not known.
    if (status === 400) await post('/volumes/prune');
    else if (status < 200 || status >= 300) await post(all);
  }

  return {
    async ping(host, limitMs) {
      try {
        const answer = await api.call(host, { method: 'GET', path: '/_ping' }, deps.clock.timeout(limitMs));
        return answer.status === 200 && answer.body === 'OK';
      } catch {
        return false;
      }
    },
    jobContainers: listContainers,
    async clean(host, signal) {
      const containers = await listContainers(host, signal);
      // v=1 removes the container's anonymous volumes with it; named ones (the runner's caches) stay.
      await Promise.all(containers.map(({ id }) => remove(host, `/containers/${id}?force=1&v=1`, signal)));
      const body = await expect(host, { method: 'GET', path: '/networks' }, signal);
      const networks = parse(networkList, body, `${host.address}:${host.port}`);
      for (const network of networks.filter(({ Labels }) => isRunners(Labels)))
        await removeNetwork(host, network.Id, signal);
      return { containers };
    },
    prune: (host, what, signal) => prune(host, what, signal),
    forget: (address) => {
      api.forget(address);
    },
  };
}
