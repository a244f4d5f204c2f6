// The emulator's own calls about one instance's host: something goes wrong with it, EC2 takes it back. By query, so that
// `curl -X POST` does it; nothing of it exists in EC2.
import { messageOf } from '../domain/error.ts';
import type { SimInstance } from '../sim/instance.ts';
import { NOTICE_MS } from '../sim/unasked-ends.ts';
import type { World } from '../sim/world.ts';
import { type ControlAnswer, type ControlParts, refused } from './control-answer.ts';

/** Longer than this nobody waits for a reclaim. */
const NOTICE_AT_MOST_S = 86_400;

function instanceOf(world: World, id: string): SimInstance | ControlAnswer {
  return (
    world.find(id)?.instance ?? refused(404, `no instance ${id.slice(0, 40)}; name one by ?instance=i-…`)
  );
}

/** `POST /_emulator/host-fault?instance=ID&fault=NAME`. */
export async function setHostFault(parts: ControlParts, query: URLSearchParams): Promise<ControlAnswer> {
  const found = instanceOf(parts.world, query.get('instance') ?? '');
  if ('status' in found) return found;
  const fault = query.get('fault') ?? '';
  try {
    await parts.afflict(found, fault);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refused(400, messageOf(error));
  }
  return { status: 200, body: { instance: found.id, fault } };
}

/** `POST /_emulator/reclaim?instance=ID`, with `&notice=SECONDS` for another notice than EC2's two minutes. */
export function reclaim({ world }: ControlParts, query: URLSearchParams): ControlAnswer {
  const found = instanceOf(world, query.get('instance') ?? '');
  if ('status' in found) return found;
  const notice = query.get('notice');
  if (notice !== null && !(/^\d{1,5}(\.\d{1,3})?$/.test(notice) && Number(notice) <= NOTICE_AT_MOST_S))
    return refused(400, `notice is a number of seconds up to ${NOTICE_AT_MOST_S}, like 120 or 0.5`);
  const noticeMs = notice === null ? NOTICE_MS : Math.round(Number(notice) * 1000);
  const told = world.find(found.id)?.region.unaskedEnds.reclaim(found, noticeMs) === true;
  if (!told) return refused(409, `${found.id} is no running spot instance, or its reclaim was told before`);
  return {
    status: 200,
    body: { instance: found.id, reclaim_at: new Date(found.reclaimAt ?? 0).toISOString() },
  };
}

/** `POST /_emulator/rebalance?instance=ID`: EC2 advises to move on from a spot instance. */
export function advise({ world }: ControlParts, query: URLSearchParams): ControlAnswer {
  const found = instanceOf(world, query.get('instance') ?? '');
  if ('status' in found) return found;
  const told = world.find(found.id)?.region.unaskedEnds.advise(found) === true;
  if (!told) return refused(409, `${found.id} is no running spot instance`);
  return { status: 200, body: { instance: found.id } };
}
