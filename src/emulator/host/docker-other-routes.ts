// Docker Engine API beside containers: health, version, images, networks, volumes.
// Trap: an image pull answers with a stream of JSON lines and status 200 even when it fails; here it never fails.
import { type ApiAnswer, empty, json, labelsOf, type Route, refusal, textOf } from './docker-answer.ts';
import { matchesFilters } from './docker-filters.ts';
import type { DockerState, Network } from './docker-state.ts';

function route(method: string, path: RegExp, answer: Route['answer']): Route {
  return { method, path, answer };
}

const version = {
  Version: '27.3.1',
  ApiVersion: '1.47',
  MinAPIVersion: '1.24',
  Os: 'linux',
  Arch: 'amd64',
  KernelVersion: '6.8.0',
  GitCommit: 'emulated',
  GoVersion: 'go1.22',
};

function info(state: DockerState): object {
  const containers = state.containers();
  const running = containers.filter((one) => one.status === 'running').length;
  return {
    ID: state.id,
    Name: state.id,
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: 0,
    ContainersStopped: containers.length - running,
    Images: state.images.size,
    Driver: 'overlay2',
    OSType: 'linux',
    Architecture: 'x86_64',
    OperatingSystem: 'emulated host',
    KernelVersion: version.KernelVersion,
    ServerVersion: version.Version,
    NCPU: 2,
    MemTotal: 8 * 1024 ** 3,
    Labels: ['provider=amazonec2'],
    SecurityOptions: [],
  };
}

function imageDetail(name: string): object {
  return {
    Id: 'sha256:0',
    RepoTags: [name],
    RepoDigests: [],
    Os: 'linux',
    Architecture: 'amd64',
    Size: 0,
    Config: {},
  };
}

function findNetwork(state: DockerState, key: string): Network | null {
  return state.networks.get(key) ?? [...state.networks.values()].find(({ name }) => name === key) ?? null;
}

function networkDetail(network: Network): object {
  return {
    Id: network.id,
    Name: network.name,
    Driver: network.driver,
    Scope: 'local',
    Labels: network.labels,
    Containers: Object.fromEntries([...network.members].map((id) => [id, { Name: id.slice(0, 12) }])),
  };
}

function onNetwork(
  method: string,
  action: string,
  answer: (network: Network, body: Record<string, unknown>, state: DockerState) => ApiAnswer,
): Route {
  return route(method, new RegExp(`^/networks/([^/]+)${action}$`), (state, { body }, key) => {
    const network = findNetwork(state, key);
    return network === null ? refusal(404, `network ${key} not found`) : answer(network, body, state);
  });
}

const networkRoutes: readonly Route[] = [
  route('GET', /^\/networks()$/, (state, { query }) =>
    json(
      [...state.networks.values()]
        .filter((one) => matchesFilters(query.get('filters'), one))
        .map((one) => ({ ...networkDetail(one), Containers: {} })),
    ),
  ),
  route('POST', /^\/networks\/create()$/, (state, { body }) => {
    const name = textOf(body['Name']);
    if (findNetwork(state, name) !== null) return refusal(409, `network with name ${name} already exists`);
    return json({ Id: state.addNetwork(name, labelsOf(body['Labels'])).id, Warning: '' }, 201);
  }),
  onNetwork('GET', '', (network) => json(networkDetail(network))),
  onNetwork('POST', '/connect', (network, body) => {
    network.members.add(textOf(body['Container']));
    return empty(200);
  }),
  onNetwork('POST', '/disconnect', (network, body) => {
    network.members.delete(textOf(body['Container']));
    return empty(200);
  }),
  onNetwork('DELETE', '', (network, _body, state) => {
    if (network.members.size > 0) return refusal(403, `network ${network.name} has active endpoints`);
    state.networks.delete(network.id);
    return empty();
  }),
];

const volumeRoutes: readonly Route[] = [
  route('GET', /^\/volumes()$/, (state, { query }) =>
    json({
      Volumes: [...state.volumes.values()]
        .filter((one) => matchesFilters(query.get('filters'), { ...one, id: one.name }))
        .map(({ name, labels }) => ({ Name: name, Driver: 'local', Labels: labels, Scope: 'local' })),
      Warnings: [],
    }),
  ),
  route('POST', /^\/volumes\/create()$/, (state, { body }) => {
    const name = textOf(body['Name']) || `volume-${state.volumes.size + 1}`;
    const volume = state.volumes.get(name) ?? { name, labels: labelsOf(body['Labels']) };
    state.volumes.set(name, volume);
    return json({ Name: name, Driver: 'local', Labels: volume.labels, Scope: 'local' }, 201);
  }),
  route('GET', /^\/volumes\/([^/]+)$/, (state, _request, name) => {
    const volume = state.volumes.get(name);
    if (volume === undefined) return refusal(404, `get ${name}: no such volume`);
    return json({ Name: name, Driver: 'local', Labels: volume.labels, Scope: 'local' });
  }),
  route('DELETE', /^\/volumes\/([^/]+)$/, (state, _request, name) =>
    state.volumes.delete(name) ? empty() : refusal(404, `get ${name}: no such volume`),
  ),
];

const imageRoutes: readonly Route[] = [
  route('GET', /^\/images\/json()$/, (state) => json([...state.images].map(imageDetail))),
  route('POST', /^\/images\/create()$/, (state, { query }) => {
    const tag = query.get('tag');
    const name = `${query.get('fromImage') ?? ''}${tag === null || tag === '' ? '' : `:${tag}`}`;
    state.pull(name);
    const lines = [{ status: `Pulling ${name}` }, { status: `Status: Image is up to date for ${name}` }];
    return { ...json({}), text: lines.map((line) => `${JSON.stringify(line)}\r\n`).join('') };
  }),
  route('GET', /^\/images\/(.+)\/json$/, (_state, _request, name) => json(imageDetail(name))),
  route('DELETE', /^\/images\/(.+)$/, (state, _request, name) => {
    state.images.delete(name);
    return json([{ Untagged: name }]);
  }),
];

const asks = (query: URLSearchParams, filter: string) => (query.get('filters') ?? '').includes(filter);

/** What a prune reclaims is told in numbers nobody reads here; what it removes is gone. */
const pruneRoutes: readonly Route[] = [
  route('POST', /^\/containers\/prune()$/, (state) => {
    const stopped = state.containers().filter(({ status }) => status !== 'running');
    for (const { id } of stopped) state.remove(id);
    return json({ ContainersDeleted: stopped.map(({ id }) => id), SpaceReclaimed: 0 });
  }),
  route('POST', /^\/images\/prune()$/, (state, { query }) => {
    const used = new Set(state.containers().map(({ image }) => image));
    const removed = asks(query, '"false"') ? [...state.images].filter((image) => !used.has(image)) : [];
    for (const image of removed) state.images.delete(image);
    return json({ ImagesDeleted: removed.map((name) => ({ Untagged: name })), SpaceReclaimed: 0 });
  }),
  route('POST', /^\/volumes\/prune()$/, (state, { query }) => {
    // Without `all` only anonymous volumes go, and none of those outlives its container here.
    const removed = asks(query, '"all"') ? [...state.volumes.keys()] : [];
    for (const name of removed) state.volumes.delete(name);
    if (asks(query, '"all"')) state.litter.caches = 0;
    return json({ VolumesDeleted: removed, SpaceReclaimed: 0 });
  }),
  route('POST', /^\/build\/prune()$/, (state) => {
    state.litter.spare = 0;
    return json({ CachesDeleted: [], SpaceReclaimed: 0 });
  }),
  route('POST', /^\/networks\/prune()$/, () => json({ NetworksDeleted: [] })),
];

/** All but containers. */
export const otherRoutes: readonly Route[] = [
  route('GET', /^\/_ping()$/, () => ({ status: 200, type: 'text/plain; charset=utf-8', text: 'OK' })),
  route('GET', /^\/version()$/, () => json(version)),
  route('GET', /^\/info()$/, (state) => json(info(state))),
  ...pruneRoutes,
  ...networkRoutes,
  ...volumeRoutes,
  ...imageRoutes,
];
