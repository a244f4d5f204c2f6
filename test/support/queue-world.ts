// A whole daemon between an emulated EC2 and several stand-in GitLabs: one section of the runner's file, and so one pool,
// for each, with a queue table of its own. Hosts take ten minutes to boot, so that what is launched can be counted in peace.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { QueueReply } from '../../src/contract/api.ts';
import { type LiveWorld, machineOptions, startWorld, type WorldOptions } from './live-world.ts';
import { type StandInGitlab, startStandInGitlab } from './stand-in-gitlab.ts';

const SLOW_BOOT_MS = 600_000;

export type QueueSection = {
  name: string;
  gitlab: Pick<StandInGitlab, 'url'>;
  /** Lines of `[runners.hostler.queue]`. */
  queue?: string;
  /** `poll_interval`; the shortest unless given. */
  poll?: string;
  /** The runner's number in GitLab; 7 unless given. */
  id?: number;
  /** Lines of `[[runners]]` beside the usual ones. */
  runner?: string;
};

/** Text of the runner's file with these sections. */
export function queueFile(
  at: { endpoint: string; sshPort: number },
  sections: readonly QueueSection[],
): string {
  const options = machineOptions(at).map((option) => `      "${option}",`);
  const texts = sections.map(
    ({ name, gitlab, queue = '', poll = '5s', id = 7, runner = '  limit = 50' }) => `[[runners]]
  name = "${name}"
  url = "${gitlab.url}"
  id = ${id}
  token = "glrt-${name.padEnd(20, '0')}"
  executor = "docker+machine"
${runner}
  [runners.docker]
    image = "alpine"
  [runners.machine]
    IdleCount = 0
    IdleTime = 600
    MaxBuilds = 10
    MachineDriver = "amazonec2"
    MachineName = "box-%s"
    MachineOptions = [
${options.join('\n')}
    ]
  [runners.hostler.queue]
    poll_interval = "${poll}"
${queue}`,
  );
  return `concurrent = 100\ncheck_interval = 0\n${texts.join('\n')}\n`;
}

/** A GitLab with `projects` projects and a runner of its instance that takes `docker` and untagged jobs. */
export async function usualGitlab(token: string, projects = 1): Promise<StandInGitlab> {
  const gitlab = await startStandInGitlab({ token });
  gitlab.addProjects(projects);
  gitlab.runner = {
    id: 7,
    paused: false,
    runner_type: 'project_type',
    projects: [...gitlab.projects.values()].map(({ id, path }) => ({ id, path_with_namespace: path })),
    tag_list: ['docker'],
    run_untagged: true,
    access_level: 'not_protected',
  };
  return gitlab;
}

export type QueueWorld = LiveWorld & {
  queue(pool: string): Promise<QueueReply>;
  /** Other sections from now on; the daemon reads them by itself. */
  use(sections: readonly QueueSection[]): void;
  /** Machines that a pool has. */
  machines(pool: string): Promise<number>;
};

/** Starts the daemon with these sections. */
export async function startQueueWorld(
  sections: readonly QueueSection[],
  over: Partial<WorldOptions> = {},
): Promise<QueueWorld> {
  const text = (of: readonly QueueSection[]) => (at: { endpoint: string; sshPort: number }) =>
    queueFile(at, of);
  const world = await startWorld({ emulator: { bootMs: SLOW_BOOT_MS }, text: text(sections), ...over });
  return {
    ...world,
    async queue(pool) {
      const found = (await world.client.queue()).find((one) => one.pool === pool);
      if (found === undefined) throw new Error(`no queue of ${pool}`);
      return found;
    },
    use: (next) => world.writeConfig({ text: text(next) }),
    machines: async (pool) =>
      (await world.client.machines()).filter((machine) => machine.pool === pool).length,
  };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** All that a daemon says and keeps, by where it stands: its log, its replies, what people see, its state folder. */
export async function everythingSaid(world: QueueWorld): Promise<Map<string, string>> {
  const said = new Map<string, string>();
  const pools = (await world.client.queue()).map(({ pool }) => pool);
  const commands = [
    ['queue'],
    ['queue', '--jobs', '5000'],
    ['queue', '--json', '--jobs', '5000'],
    ['events', '--limit', '10000'],
    ['events', '--json', '--limit', '10000'],
    ['status'],
    ['status', '--json'],
    ['config', '--config', world.configFile, '--json'],
    ['check', '--config', world.configFile],
    ...pools.map((pool) => ['explain', pool]),
  ];
  for (const command of commands) {
    const { stdout, stderr } = await world.hostler(...command);
    said.set(`hostler ${command.join(' ')}`, stdout + stderr);
  }
  for (const path of ['/metrics', '/healthz', '/readyz'])
    said.set(path, await fetch(`${world.metricsUrl}${path}`).then((answer) => answer.text()));
  for (const file of filesBelow(join(world.folder, 'state')))
    said.set(file, readFileSync(file).toString('latin1'));
  const tags = world.emulator.world.instances().map((instance) => [...instance.tags]);
  said.set('tags of instances', JSON.stringify(tags));
  said.set('the log', world.log());
  return said;
}
