// What the tests have not removed from their Docker.
// Must not be asked of any Docker but the tests' own: there everything that is left is theirs.
import { listOf } from '../../src/emulator/docker-hosts/docker-answers.ts';
import type { DockerClient } from '../../src/emulator/docker-hosts/docker-client.ts';

/** Containers, volumes and networks of this Docker, which is the tests' own; its built-in networks aside. */
export async function leftInDocker(docker: DockerClient): Promise<string[]> {
  const read = (path: string) => docker.json({ method: 'GET', path });
  const containers = listOf(await read('/containers/json?all=1')).map(
    ({ id }) => `container ${id.slice(0, 12)}`,
  );
  const { Volumes } = (await read('/volumes')) as { Volumes: { Name: string }[] | null };
  const networks = (await read('/networks')) as { Name: string }[];
  return [
    ...containers,
    ...(Volumes ?? []).map(({ Name }) => `volume ${Name}`),
    ...networks
      .filter(({ Name }) => !['bridge', 'host', 'none'].includes(Name))
      .map(({ Name }) => `network ${Name}`),
  ];
}
