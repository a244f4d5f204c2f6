// Containers in the emulated Docker API (https://docs.docker.com/engine/api): their whole life, without processes.
// Trap: `wait` sends its headers at once and its body when the container ends; `start` of a running one is 304.
import {
  type ApiAnswer,
  type ApiRequest,
  empty,
  json,
  labelsOf,
  type Route,
  refusal,
} from './docker-answer.ts';
import { matchesFilters } from './docker-filters.ts';
import type { Container, DockerState } from './docker-state.ts';

function words(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.map(String) : [];
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

const iso = (at: number | null) => (at === null ? '0001-01-01T00:00:00Z' : new Date(at).toISOString());

function summary(one: Container): object {
  const state = one.status;
  return {
    Id: one.id,
    Names: [`/${one.name}`],
    Image: one.image,
    ImageID: 'sha256:0',
    Command: one.command.join(' '),
    Created: Math.floor(one.createdAt / 1000),
    State: state,
    Status: state === 'running' ? 'Up' : state === 'exited' ? `Exited (${one.exitCode})` : 'Created',
    Labels: one.labels,
    Ports: [],
    Mounts: [],
    NetworkSettings: { Networks: {} },
  };
}

function detail(one: Container): object {
  return {
    Id: one.id,
    Name: `/${one.name}`,
    Created: iso(one.createdAt),
    Path: one.command[0] ?? '',
    Args: one.command.slice(1),
    Image: 'sha256:0',
    State: {
      Status: one.status,
      Running: one.status === 'running',
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: one.status === 'running' ? 4242 : 0,
      ExitCode: one.exitCode,
      Error: '',
      StartedAt: iso(one.startedAt),
      FinishedAt: iso(one.finishedAt),
    },
    Config: { ...one.config, Image: one.image, Labels: one.labels },
    HostConfig: one.hostConfig,
    Mounts: [],
    NetworkSettings: { IPAddress: '172.17.0.2', Networks: { bridge: { IPAddress: '172.17.0.2' } } },
  };
}

function create(state: DockerState, request: ApiRequest): ApiAnswer {
  const { body, query } = request;
  if (typeof body['Image'] !== 'string' || body['Image'] === '')
    return refusal(400, 'config cannot be empty in order to create a container');
  const made = state.create({
    name: query.get('name') ?? '',
    image: body['Image'],
    command: [...words(body['Entrypoint']), ...words(body['Cmd'])],
    labels: labelsOf(body['Labels']),
    config: body,
    hostConfig: objectOf(body['HostConfig']),
  });
  if (made === null)
    return refusal(409, `Conflict. The container name "/${query.get('name')}" is already in use`);
  return json({ Id: made.id, Warnings: [] }, 201);
}

function list(state: DockerState, request: ApiRequest): ApiAnswer {
  const all = ['1', 'true'].includes(request.query.get('all') ?? '');
  const filters = request.query.get('filters');
  return json(
    state
      .containers()
      .filter((one) => all || one.status === 'running' || (filters ?? '').includes('"status"'))
      .filter((one) => matchesFilters(filters, { ...one, status: one.status }))
      .map(summary),
  );
}

/** A route on one container; 404 when there is none. */
function onContainer(
  method: string,
  action: string,
  answer: (state: DockerState, one: Container, request: ApiRequest) => ApiAnswer,
): Route {
  return {
    method,
    path: new RegExp(`^/containers/([^/]+)${action}$`),
    answer: (state, request, key) => {
      const one = state.container(key);
      return one === null ? refusal(404, `No such container: ${key}`) : answer(state, one, request);
    },
  };
}

/** Everything below /containers. */
export const containerRoutes: readonly Route[] = [
  { method: 'POST', path: /^\/containers\/create()$/, answer: create },
  { method: 'GET', path: /^\/containers\/json()$/, answer: list },
  onContainer('GET', '/json', (_state, one) => json(detail(one))),
  onContainer('POST', '/start', (state, one) => {
    if (one.status === 'running') return empty(304);
    state.start(one.id);
    return empty();
  }),
  onContainer('POST', '/stop', (state, one) => {
    if (one.status !== 'running') return empty(304);
    state.end(one.id, 137);
    return empty();
  }),
  onContainer('POST', '/kill', (state, one) => {
    if (one.status !== 'running') return refusal(409, `Container ${one.id} is not running`);
    state.end(one.id, 137);
    return empty();
  }),
  onContainer('POST', '/wait', (state, one, { query }) => ({
    status: 200,
    type: 'application/json',
    text: '',
    later: state
      .wait(one.id, query.get('condition') === 'next-exit' ? 'next-exit' : 'not-running')
      .then((code) => `${JSON.stringify({ StatusCode: code })}\n`),
  })),
  // Nothing runs in it beside which a process could be started; the runner takes that for a container that has ended.
  onContainer('POST', '/exec', (_state, one) => refusal(409, `container ${one.id} is not running`)),
  onContainer('GET', '/logs', () => ({
    status: 200,
    type: 'application/vnd.docker.raw-stream',
    text: '',
  })),
  onContainer('DELETE', '', (state, one, { query }) => {
    const force = ['1', 'true'].includes(query.get('force') ?? '');
    if (one.status === 'running' && !force)
      return refusal(409, `cannot remove container "/${one.name}": container is running`);
    state.remove(one.id);
    for (const network of state.networks.values()) network.members.delete(one.id);
    return empty();
  }),
];
