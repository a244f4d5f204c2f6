// Keys in SSM's parameter store, one SecureString each: they outlive the manager instance and its disk.
// A put without overwrite makes each of them once, whoever starts at the same time.
import { HostlerError } from '../../domain/error.ts';
import { type DurationMs } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { KeyVault } from '../../ports/key-vault.ts';
import { type SsmParameters, VALUE_AT_MOST } from './ssm-parameters.ts';

/** SSM may show a new parameter a moment late. */
const SHOWN_LATE_MS: readonly DurationMs[] = [100, 300, 1_000, 3_000];

/** The vault over these parameters. */
export function createSsmVault(parameters: SsmParameters, clock: Clock): KeyVault {
  const { place } = parameters;
  return {
    place,
    read: (name) => parameters.get(name),
    async make(name, text) {
      if (text.length > VALUE_AT_MOST) {
        throw new HostlerError(
          'state-unusable',
          `${name} has ${text.length} characters, a parameter of ${place} holds ${VALUE_AT_MOST}; keep the keys in files`,
          { where: place },
        );
      }
      await parameters.create(name, text, 'SecureString');
      for (const pause of SHOWN_LATE_MS) {
        const stands = await parameters.get(name);
        if (stands !== null) return stands;
        await clock.sleep(pause);
      }
      throw new HostlerError('cloud-refused', `${place}/${name} does not show after it was made`, {
        where: place,
      });
    },
  };
}
