// A plan as lines that a person reads: for `explain`, `GET /v1/plan`, logs and the scenario tests.
// Trap: lines hold ids and reasons only; a launch request with its user data never gets here.
import { unreachable } from '../domain/assert.ts';
import { offeringKey } from '../domain/instance.ts';
import type { Action, PoolSize } from '../domain/plan.ts';
import { describeReason } from '../domain/reason.ts';

function what(action: Action): string {
  switch (action.kind) {
    case 'launch':
      return `launch ${action.machines.length} × ${offeringKey(action.offering)} for ${action.pool} (${action.for})`;
    case 'resend':
    case 'forget-launch':
      return `${action.kind} ${action.token}`;
    case 'match':
      return `match ${action.machine} to ${action.instance.id}`;
    case 'adopt':
      return `adopt ${action.instance.id} as ${action.machine} in ${action.pool}`;
    case 'provision':
    case 'retire':
    case 'drain':
    case 'bury':
      return `${action.kind} ${action.machine}`;
    case 'terminate':
      return `terminate ${action.machines.join(' ')} at ${action.site}`;
    case 'end-orphan':
      return `end orphan ${action.instance} at ${action.site}`;
    default:
      return unreachable(action);
  }
}

/** One action in one line, its reason included. */
export function describeAction(action: Action): string {
  return `${what(action)} — ${describeReason(action.reason)}`;
}

/** A pool's arithmetic in one line, e.g. `wanted 33 = busy 3 + demand 27 + idle 3 (…)`. */
export function describeSize(size: PoolSize): string {
  const idle = Math.max(size.wantIdle, size.held + size.fill);
  const sum = size.busy + size.demand + idle;
  const bounded = sum > size.wanted ? `, bounded to ${size.wanted}` : '';
  return (
    `wanted ${sum} = busy ${size.busy} + demand ${size.demand} + idle ${idle}${bounded}; ` +
    `has busy ${size.busy}, held ${size.held}, ready ${size.ready}, coming ${size.coming}, leaving ${size.leaving}; ` +
    `missing ${size.missing}, beyond ${size.beyond}`
  );
}
