// EC2 as a docker-machine process calls it: each call takes its time, is counted, and after throttling or a server's
// error is tried again as its SDK does. What fails for good is thrown as EC2's error.
import { Ec2Error } from '../ec2-error.ts';
import type { Ledger } from '../ledger.ts';
import type { Region } from '../region.ts';
import type { Seeded } from '../seeded.ts';
import { pause, type Timeline } from '../timeline.ts';
import type { PeerFlavour } from './peer-flavour.ts';

export type PeerEc2 = {
  /** One call; `work` is what it does once EC2 lets it in. Throws Ec2Error. */
  call<T>(action: string, work: () => T): Promise<T>;
};

/** `amazonec2-retries`, its default. */
const RETRIES = 5;
/** The Go SDK's delays: doubled with each try, drawn from half to full. */
const THROTTLED_MS = 500;
const FAILED_MS = 30;
const LONGEST_MS = 300_000;

/** Server errors are tried again, missing capacity (an HTTP 500) among them; a client's mistake is not. */
const again = (error: unknown): error is Ec2Error => error instanceof Ec2Error && error.status >= 500;

export function createPeerEc2(parts: {
  timeline: Timeline;
  random: Seeded;
  region: Region;
  ledger: Ledger;
  flavour: PeerFlavour;
}): PeerEc2 {
  const { timeline, random, region, ledger, flavour } = parts;

  const once = async <T>(action: string, work: () => T): Promise<T> => {
    if (flavour.callMs > 0) await pause(timeline, flavour.callMs);
    ledger.call(action);
    // Looks at one thing by its id or name are narrowed; all of docker-machine's are.
    if (flavour.limited) region.admit({ action, narrowed: true, dryRun: false });
    return work();
  };

  return {
    async call(action, work) {
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await once(action, work);
        } catch (error) {
          if (!again(error) || attempt === RETRIES) throw error;
          const base = error.code === 'RequestLimitExceeded' ? THROTTLED_MS : FAILED_MS;
          const most = Math.min(LONGEST_MS, base * 2 ** attempt);
          await pause(timeline, most * (0.5 + 0.5 * random.float()));
        }
      }
    },
  };
}
