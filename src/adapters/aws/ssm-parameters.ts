// Parameters below one path of SSM's parameter store: read, made once, overwritten. Tries again what may pass, and says in
// words which permission is missing. Must not log or repeat a value.
// Trap: the answer of a put may be lost although it was done; who makes something once reads it again afterwards.
import type { CloudSite } from '../../domain/config.ts';
import { HostlerError } from '../../domain/error.ts';
import { type Outcome, outcomeOf, refusal } from '../../domain/outcome.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { unreadableAnswer } from './errors.ts';
import { createSiteCalls } from './site-calls.ts';

/** Characters of a value in SSM's standard tier, which costs nothing. */
export const VALUE_AT_MOST = 4_096;
/** One call: SSM answers within a tenth of a second. */
const CALL_LIMIT_MS: DurationMs = 10 * SECOND_MS;
/** Pauses between tries: a throttled or lost call is tried for some 15 s, well below what a supervisor waits for a start. */
const PAUSES_MS: readonly DurationMs[] = [200, 500, 1_000, 2_000, 4_000, 8_000];

/** What may be different in a moment. */
const passing: ReadonlySet<Outcome['kind']> = new Set(['throttled', 'unknown']);

export type SsmParameters = {
  /** `ssm:/hostler/ci in eu-central-1`. */
  place: string;
  /** The value, or null when there is no such parameter. */
  get(name: string): Promise<string | null>;
  /** False when there was one already. */
  create(name: string, value: string, type: 'SecureString' | 'String'): Promise<boolean>;
  overwrite(name: string, value: string): Promise<void>;
  close(): void;
};

type Deps = {
  clock: Clock;
  log: Log;
  env: Readonly<Record<string, string | undefined>>;
  onCall?: (call: { action: string; outcome: string; ms: DurationMs }) => void;
  /** Ends what is under way. */
  stop: AbortSignal;
};

/** The actions that each call needs, for messages. */
const needs: Readonly<Record<string, string>> = {
  GetParameter: 'ssm:GetParameter (and kms:Decrypt for a key of your own)',
  PutParameter: 'ssm:PutParameter (and kms:Encrypt for a key of your own)',
};

/** The parameters below `path` (no slash at its end) at that site. All methods throw `cloud-refused` in words. */
export function createSsmParameters(site: CloudSite, path: string, deps: Deps): SsmParameters {
  const { clock, stop } = deps;
  const calls = createSiteCalls(site, { ...deps, onCall: deps.onCall ?? (() => undefined) });
  const place = `ssm:${path} in ${site.region}`;

  function inWords(action: string, outcome: Outcome): HostlerError {
    const cure =
      outcome.kind === 'denied'
        ? `; hostler needs ${needs[action]} on arn:aws:ssm:${site.region}:*:parameter${path}/*`
        : '';
    const message = `the keys in ${place} cannot be used: ${action}: ${outcome.code}: ${outcome.message}${cure}`;
    return new HostlerError('cloud-refused', message, { where: place, cause: outcome });
  }

  async function patiently<T>(action: string, send: () => Promise<T>): Promise<T> {
    for (let round = 0; ; round++) {
      try {
        return await send();
      } catch (error) {
        const outcome = outcomeOf(error);
        if (outcome === null) throw error;
        const pause = PAUSES_MS[round];
        if (!passing.has(outcome.kind) || pause === undefined || stop.aborted) throw inWords(action, outcome);
        await clock.sleep(pause, stop);
      }
    }
  }

  /** What the call gives; null when SSM answers with this code. */
  async function unless<T>(code: string, work: Promise<T>): Promise<T | null> {
    try {
      return await work;
    } catch (error) {
      const cause = (error as { cause?: Outcome }).cause;
      if (error instanceof HostlerError && cause?.code === code) return null;
      throw error;
    }
  }

  function put(name: string, value: string, how: { Type?: 'SecureString' | 'String'; Overwrite: boolean }) {
    return patiently('PutParameter', async () => {
      const { PutParameterCommand } = await import('@aws-sdk/client-ssm');
      const command = new PutParameterCommand({ Name: `${path}/${name}`, Value: value, ...how });
      const signal = clock.timeout(CALL_LIMIT_MS, stop);
      return await calls.call({ action: 'PutParameter', signal }, (clients, limit) =>
        clients.ssm.send(command, { abortSignal: limit }),
      );
    });
  }

  return {
    place,
    async get(name) {
      const answer = await unless(
        'ParameterNotFound',
        patiently('GetParameter', async () => {
          const { GetParameterCommand } = await import('@aws-sdk/client-ssm');
          const command = new GetParameterCommand({ Name: `${path}/${name}`, WithDecryption: true });
          const signal = clock.timeout(CALL_LIMIT_MS, stop);
          const found = await calls.call({ action: 'GetParameter', signal }, (clients, limit) =>
            clients.ssm.send(command, { abortSignal: limit }),
          );
          if (found.Parameter?.Value === undefined)
            throw refusal('GetParameter', unreadableAnswer('GetParameter', 'without a value'));
          return found.Parameter.Value;
        }),
      );
      return answer;
    },
    async create(name, value, type) {
      const made = await unless('ParameterAlreadyExists', put(name, value, { Type: type, Overwrite: false }));
      return made !== null;
    },
    async overwrite(name, value) {
      await put(name, value, { Type: 'String', Overwrite: true });
    },
    close: () => calls.close(),
  };
}
