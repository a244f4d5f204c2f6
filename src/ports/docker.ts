// The Docker API of one host, as far as hostler needs it. TLS with our CA and the machine's client certificate.
import type { DurationMs } from '../domain/units.ts';

export type DockerTls = { ca: string; cert: string; key: string };
export type DockerHost = { address: string; port: number; tls: DockerTls };

/** A container with gitlab-runner's labels. */
export type JobContainer = {
  id: string;
  running: boolean;
  /** Label com.gitlab.gitlab-runner.job.id, or null when the container has only other runner labels. */
  jobId: string | null;
  jobUrl: string | null;
  /** Labels project.id and pipeline.id, GitLab's numbers; absent or null = not labelled. */
  projectId?: string | null;
  pipelineId?: string | null;
};

export interface Docker {
  /** GET /_ping. True only for a verified 200 OK. Never throws. */
  ping(host: DockerHost, limitMs: DurationMs): Promise<boolean>;
  /** Containers with a `com.gitlab.gitlab-runner.*` label, stopped ones too. Throws `host-unreachable`. */
  jobContainers(host: DockerHost, signal: AbortSignal): Promise<readonly JobContainer[]>;
  /** Kills and removes containers and networks with the runner's labels; images and named volumes stay. Throws `host-unreachable`. */
  clean(host: DockerHost, signal: AbortSignal): Promise<{ containers: readonly JobContainer[] }>;
  /**
   * Removes what Docker can spare: stopped containers, dangling images, build cache; with `caches` also every unused image
   * and every unused volume, the runner's named caches too. Throws `host-unreachable`.
   */
  prune(host: DockerHost, what: 'spare' | 'caches', signal: AbortSignal): Promise<void>;
  /** Drops kept connections of a host that is gone. */
  forget(address: string): void;
}
