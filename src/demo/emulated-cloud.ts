// What the emulated cloud says of itself below /_emulator/: the demo's only source for instances and EC2 calls.
import { HostlerError, messageOf } from '../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';

/** Milliseconds; it answers from memory. */
const ANSWER_LIMIT_MS: DurationMs = 5 * SECOND_MS;

export type EmulatedInstance = { id: string; state: string };

export type EmulatedCloud = {
  /** EC2 calls so far by action. */
  calls(): Promise<Readonly<Record<string, number>>>;
  /** Every instance ever launched, the terminated ones too. */
  instances(): Promise<readonly EmulatedInstance[]>;
};

/** Asks the emulator at that endpoint. Throws `daemon-away` when it does not answer. */
export function createEmulatedCloud(endpoint: string): EmulatedCloud {
  async function get(name: string): Promise<unknown> {
    try {
      const answer = await fetch(`${endpoint}/_emulator/${name}`, {
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      });
      return await answer.json();
    } catch (error) {
      throw new HostlerError(
        'daemon-away',
        `the emulated cloud at ${endpoint} does not answer: ${messageOf(error)}`,
      );
    }
  }
  return {
    calls: async () => (await get('calls')) as Record<string, number>,
    instances: async () => (await get('instances')) as EmulatedInstance[],
  };
}
