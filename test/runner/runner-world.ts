// Everything around a real gitlab-runner: the emulated EC2 with real hosts in containers or small ones in this process, the
// emulated GitLab with its job queue, a registry with one image for real hosts, hostler's daemon, and the runner itself driving
// hostler's docker-machine.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type EmulatedGitlab, startGitlab } from '../../src/emulator/gitlab/start-gitlab.ts';
import type { Job } from '../../src/sim/gitlab/job.ts';
import { startHostsWorld } from '../hosts/hosts-world.ts';
import { type Registry, startRegistry } from '../hosts/registry.ts';
import { type LiveWorld, machineOptions, startWorld, type WorldOptions } from '../support/live-world.ts';
import { type RunnerProcess, startRunner } from './runner-process.ts';

export type RunnerWorldOptions = {
  /** Path of a gitlab-runner binary. */
  binary: string;
  /** Real hosts on this Docker, with what `runnerImage` gave for the binary; null = hosts in this process. */
  real: { socket: string; layer: Buffer } | null;
  /** Lines of `[runners.machine]`. */
  machine: string;
  concurrent?: number;
  /** `limit` of the section; real hosts are dear. */
  limit?: number;
  /** The whole runner's file, where the usual one will not do. */
  text?: (at: RunnerFileParts) => string;
  /** `name` of the section; default `outside`. */
  section?: string;
  /** Whether hostler looks at the emulated GitLab's queue too. */
  seesQueue?: boolean;
  /** Where the runner serves its metrics; not at all unless given. */
  metricsPort?: number;
};

export type RunnerFileParts = { gitlab: string; image: string; options: readonly string[] };

export type RunnerWorld = {
  hosts: LiveWorld;
  gitlab: EmulatedGitlab;
  runner(): RunnerProcess;
  /** Starts another one, after the end of the last. */
  startRunner(): RunnerProcess;
  enqueue(body: object): number[];
  jobs(ids: readonly number[]): Job[];
  trace(job: number): Promise<string>;
  /** Machine folders in the store, dot-folders left out. */
  machines(): string[];
  /** Writes the runner's file anew with other lines of `[runners.machine]`; the runner reads it within seconds. */
  setMachine(lines: string): void;
  /** Something goes wrong with an instance's host. */
  fault(instance: string, name: string): Promise<void>;
  close(): Promise<void>;
};

/** The token's short form is part of every machine's name. */
const TOKEN = 'glrt-outside00000000000';

function fileText(options: RunnerWorldOptions, machine: string, parts: RunnerFileParts): string {
  return `concurrent = ${options.concurrent ?? 100}
check_interval = 1
shutdown_timeout = 30
${options.metricsPort === undefined ? '' : `listen_address = "127.0.0.1:${options.metricsPort}"`}
[[runners]]
  name = "${options.section ?? 'outside'}"
  url = "${parts.gitlab}"
  token = "${TOKEN}"
  executor = "docker+machine"
  limit = ${options.limit ?? 8}
  request_concurrency = 10
  [runners.docker]
    image = "${parts.image}"
    helper_image = "${parts.image}"
    pull_policy = "if-not-present"
    disable_cache = true
  [runners.machine]
    ${machine.split('\n').join('\n    ')}
    MachineDriver = "amazonec2"
    MachineName = "box-%s"
    MachineOptions = [
${parts.options.map((option) => `      "${option}",`).join('\n')}
    ]
`;
}

/** Starts all of it, the runner last. */
export async function startRunnerWorld(options: RunnerWorldOptions): Promise<RunnerWorld> {
  const gitlab = await startGitlab();
  let registry: Registry | null = null;
  let machine = options.machine;
  gitlab.control('POST', 'runners', { token: TOKEN });
  const section = options.section ?? 'outside';
  const queue = options.seesQueue === true ? `[pools.queue]\nurl = "${gitlab.url}"\nrunner_id = 1\n` : '';

  /** What the world is started with, once it is known where the jobs' image is. */
  const files = (image: string, more: readonly string[], pool: string): WorldOptions => ({
    env: { HOSTLER_GITLAB_TOKEN: 'glpat-emulated' },
    own: `[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "${section}"\n${pool}${queue}`,
    text: (at) => {
      const parts = { gitlab: gitlab.url, image, options: [...machineOptions(at), ...more] };
      return options.text?.(parts) ?? fileText(options, machine, parts);
    },
  });

  async function startHosts(): Promise<LiveWorld> {
    const { real } = options;
    if (real === null) return startWorld(files('alpine', [], ''));
    return startHostsWorld(real.socket, {
      prepare: async (address) => {
        registry = await startRegistry(address, real.layer);
        const image = `${registry.at}/tools:1`;
        return files(image, [`engine-insecure-registry=${registry.at}`], `prepull = ["${image}"]\n`);
      },
    });
  }

  const hosts = await startHosts();
  const start = (): RunnerProcess =>
    startRunner({ binary: options.binary, config: hosts.configFile, folder: hosts.folder, env: hosts.env });
  let runner = start();
  return {
    hosts,
    gitlab,
    runner: () => runner,
    startRunner() {
      runner = start();
      return runner;
    },
    enqueue: (body) => (gitlab.control('POST', 'jobs', body).body as { jobs: number[] }).jobs,
    jobs: (ids) => ids.flatMap((id) => gitlab.gitlab.job(id) ?? []),
    async trace(job) {
      const answer = await fetch(`${gitlab.url}/api/v4/projects/1/jobs/${job}/trace`, {
        headers: { 'private-token': 'any' },
      });
      return answer.text();
    },
    machines: () => readdirSync(join(hosts.store, 'machines')).filter((name) => !name.startsWith('.')),
    setMachine(lines) {
      machine = lines;
      hosts.writeConfig({});
    },
    async fault(instance, name) {
      const path = `${hosts.emulator.endpoint}/_emulator/host-fault?instance=${instance}&fault=${name}`;
      const answer = await fetch(path, { method: 'POST' });
      if (answer.status !== 200) throw new Error(await answer.text());
    },
    async close() {
      if (runner.isRunning()) {
        runner.signal('SIGKILL');
        await runner.ended;
      }
      await hosts.close();
      await registry?.close();
      await gitlab.close();
    },
  };
}
