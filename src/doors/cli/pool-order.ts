// The verbs that change pools (`pause`, `resume`, `drain`): which pools are meant, one call each, one line each.
import type { DoneReply } from '../../contract/api.ts';
import type { Client } from '../../contract/client.ts';
import { HostlerError } from '../../domain/error.ts';
import type { CliIo } from './io.ts';
import { plain } from './paint.ts';

/** The pools named, or all with `--all`. Throws `usage` when neither is given and `pool-unknown` before anything changes. */
export async function choosePools(
  client: Client,
  names: readonly string[],
  isAll: boolean,
): Promise<string[]> {
  const known = (await client.pools()).map((pool) => pool.id);
  if (isAll && names.length > 0) throw new HostlerError('usage', 'name pools or say --all, not both');
  if (!isAll && names.length === 0)
    throw new HostlerError('usage', `name a pool (${known.join(', ')}) or say --all`);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new HostlerError('pool-unknown', `no pool ${unknown.join(', ')}; there are: ${known.join(', ')}`);
  return isAll ? known : [...new Set(names)];
}

/** Calls `order` for each pool and prints the daemon's words. */
export async function orderEach(
  io: CliIo,
  pools: readonly string[],
  order: (pool: string) => Promise<DoneReply>,
): Promise<void> {
  for (const pool of pools) io.out(`${plain((await order(pool)).message)}\n`);
}
