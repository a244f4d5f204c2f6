// Spot requests as EC2 shows them, and what they tell: which are still open, which instance is about to be taken back.
// Trap: when EC2 takes a machine back for capacity, the request is closed at once while the instance runs on for its last
// two minutes: that, and not a state of its own, is the notice.
import type { Notice } from './notice.ts';
import { type EpochMs, MINUTE_MS } from './units.ts';

export type SpotRequestState = 'open' | 'active' | 'closed' | 'cancelled' | 'failed' | 'disabled';

export type SpotRequest = {
  /** `sir-…` */
  id: string;
  state: SpotRequestState;
  /** EC2's status code, e.g. `fulfilled`, `capacity-not-available`. */
  status: string;
  /** When that status began; 0 = EC2 did not say. */
  statusAt: EpochMs;
  /** Its instance, also after that has ended. */
  instance: string | null;
  type: string;
  zone: string | null;
  createdAt: EpochMs;
  /** When an open one ends by itself. */
  validUntil: EpochMs | null;
  tags: Readonly<Record<string, string>>;
};

/** Statuses in which a running instance is to end: EC2's two for a mark, and those of a reclaim under way. */
const reclaims: ReadonlySet<string> = new Set([
  'marked-for-stop',
  'marked-for-termination',
  'instance-terminated-no-capacity',
  'instance-terminated-by-price',
  'instance-terminated-by-schedule',
  'instance-terminated-by-service',
  'instance-stopped-no-capacity',
  'instance-stopped-by-price',
]);

/** From notice to the end of an instance that EC2 takes back (EC2 user guide, spot interruption notices). */
export const NOTICE_MS = 2 * MINUTE_MS;

/** Waits for a machine: it counts against the account and may be filled at any time. */
export function isOpenRequest(request: SpotRequest): boolean {
  return request.state === 'open';
}

/** Notices among these requests, for instances that `isUp` still calls alive. */
export function noticesOfRequests(
  requests: readonly SpotRequest[],
  isUp: (instance: string) => boolean,
): Notice[] {
  return requests.flatMap(({ instance, status, statusAt }): Notice[] => {
    if (instance === null || !reclaims.has(status) || !isUp(instance)) return [];
    const deadline = statusAt === 0 ? null : statusAt + NOTICE_MS;
    return [
      { instance, kind: 'interruption', at: statusAt, deadline, source: 'spot-requests', code: status },
    ];
  });
}
