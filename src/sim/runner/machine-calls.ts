// The runner's calls of its tool, each a process with its time limit, and what it remembers of `config`.
import { usualPace } from './lifecycle-rules.ts';
import type { MachineTool } from './machine-tool.ts';
import type { RunnerProcess } from './process.ts';

const { stopLimitMs, callLimitMs, reachableMs } = usualPace;

export type MachineCalls = {
  create(name: string, section: string): Promise<boolean>;
  /** `cached`: a yes of the last five minutes does. */
  config(name: string, cached: boolean): Promise<boolean>;
  /** When the remembered yes of NAME ends; null: there is none. */
  reachableUntil(name: string): number | null;
  url(name: string): Promise<string | null>;
  storePath(name: string): Promise<boolean>;
  /** config.json stands and `inspect` says yes. */
  exists(name: string): Promise<boolean>;
  stop(name: string): Promise<boolean>;
  remove(name: string, how: 'y' | 'f'): Promise<boolean>;
  forget(name: string): void;
};

export function createMachineCalls(parts: {
  tool: MachineTool;
  process: RunnerProcess;
  now(): number;
}): MachineCalls {
  const { tool, process, now } = parts;
  const reachable = new Map<string, number>();
  const no = { ms: callLimitMs, late: false };
  const isReachable = (name: string): boolean => (reachable.get(name) ?? 0) > now();

  return {
    create: (name, section) => process.spawn((call) => tool.create(name, call, section), no),
    async config(name, cached) {
      if (cached && isReachable(name)) return true;
      const yes = await process.spawn((call) => tool.config(name, call), no);
      // Only a yes is remembered; a no leaves an older yes standing.
      if (yes) reachable.set(name, now() + reachableMs);
      return yes;
    },
    reachableUntil: (name) => (isReachable(name) ? (reachable.get(name) ?? null) : null),
    url: (name) => process.spawn((call) => tool.url(name, call), { ms: callLimitMs, late: null }),
    storePath: (name) => process.spawn((call) => tool.storePath(name, call), no),
    exists: async (name) =>
      tool.hasConfig(name) && (await process.spawn((call) => tool.inspect(name, call), no)),
    stop: (name) => process.spawn((call) => tool.stop(name, call), { ms: stopLimitMs, late: false }),
    remove: (name, how) => process.spawn((call) => tool.remove(name, how, call), no),
    forget: (name) => void reachable.delete(name),
  };
}
