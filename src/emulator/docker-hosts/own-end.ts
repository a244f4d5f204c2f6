// What a host in a container does to its own power: systemd ends the container's first process in a way that tells a
// power-off from a restart. A restarted host boots again here, as an EC2 instance does.
// Trap: a host that was killed from outside (out of memory, `docker kill`) is dead, not powered off: EC2 calls it running.
import { exitCodeOf } from './docker-answers.ts';
import type { DockerClient } from './docker-client.ts';

/** The kernel ends the first process of a container by these signals at its reboot(2) (man 2 reboot): 128 + SIGINT, SIGHUP. */
const EXIT_OFF = 130;
const EXIT_RESTART = 129;

export type WatchedHost = {
  docker: DockerClient;
  /** Of its container, which runs. */
  id: string;
  /** It restarted itself and boots again. */
  restarted(): void;
};

/** Resolves when the host powers itself off; never when `stop` ended before, or when it was killed. */
export function ownEnd({ docker, id, restarted }: WatchedHost, stop: AbortSignal): Promise<void> {
  const exitCode = async () =>
    exitCodeOf(await docker.json({ method: 'POST', path: `/containers/${id}/wait`, until: stop }));
  return new Promise((resolve) => {
    const watch = async (): Promise<void> => {
      while (!stop.aborted) {
        const code = await exitCode();
        if (code === EXIT_OFF && !stop.aborted) resolve();
        if (code !== EXIT_RESTART || stop.aborted) return;
        await docker.json({ method: 'POST', path: `/containers/${id}/start` });
        restarted();
      }
    };
    // A Docker that is gone takes its hosts with it: nobody powered them off.
    watch().catch(() => undefined);
  });
}
