// The arithmetic of one pool in readable lines: why this many machines, what comes next and when.
// It only retells the plan's own figures; it decides nothing, so it cannot disagree with the planner.
import type { PlanReply, PoolReply } from '../../contract/api.ts';
import { describeReason } from '../../domain/reason.ts';
import { describeAge, describeDuration } from './human-time.ts';
import { type Paint, plain } from './paint.ts';
import { describeNextChange, describeRests } from './pool-words.ts';

type Sized = PlanReply['pools'][number];

const count = (number: number, one: string, many = `${one}s`): string =>
  `${number} ${number === 1 ? one : many}`;

/** `wanted = busy + demand + max(wantIdle, held + fill)`, then what held it down. */
function wantedLines(size: Sized, pool: PoolReply): string[] {
  const idle = Math.max(size.wantIdle, size.held + size.fill);
  const sum = size.busy + size.demand + idle;
  const cap = size.wanted < sum ? `, held at ${size.wanted}` : '';
  const limit = pool.limit === 0 ? 'no limit' : `limit ${pool.limit}`;
  const fill = size.fill > 0 ? ` - ${size.fill} by which the runner fills its own idle` : '';
  const pending = size.pending > 0 ? `, ${count(size.pending, 'job')} pending in the queue` : '';
  const byRunner =
    size.held + size.fill > size.wantIdle ? ', because the runner holds or fills that many' : '';
  return [
    `wants   ${size.wanted} = ${size.busy} busy + ${size.demand} demand + ${idle} idle${size.wanted < sum ? ` (${sum})` : ''}${cap} (${limit})`,
    `demand  ${size.demand}: ${count(size.waiting, 'create')} waiting${fill}${pending}`,
    `idle    ${idle}: period ${JSON.stringify(plain(pool.period))} wants ${size.wantIdle}, the runner itself ${size.runnerIdle}${byRunner}`,
  ];
}

function haveLines(size: Sized): string[] {
  const have = size.busy + size.held + size.ready + size.coming;
  const leaving = size.leaving > 0 ? `; ${size.leaving} more on their way out` : '';
  const missing = size.missing > 0 ? `, ${size.missing} missing` : '';
  const beyond = size.beyond > 0 ? `, ${size.beyond} beyond` : '';
  const right = missing === '' && beyond === '' ? ', as wanted' : '';
  return [
    `has     ${have} = ${size.busy} busy + ${size.held} held idle + ${size.ready} ready + ${size.coming} coming${missing}${beyond}${right}${leaving}`,
  ];
}

function reasonLines(size: Sized): string[] {
  const lines = size.lines.length > 0 ? size.lines : size.reasons.map((reason) => describeReason(reason));
  return lines.map((line, index) => `${index === 0 ? 'because' : '       '} ${plain(line)}`);
}

function nextLines(pool: PoolReply, now: number): string[] {
  const next = describeNextChange(pool, now);
  const change = next === null ? 'no change by the schedule' : `the schedule's wish changes at ${next}`;
  const held = [
    ...(pool.paused ? ['paused by a person: "hostler resume" ends it'] : []),
    ...(pool.draining ? ['drained by a person: "hostler resume" ends it'] : []),
  ];
  return [change, ...held, ...describeRests(pool, now)].map(
    (line, index) => `${index === 0 ? 'next   ' : '       '} ${line}`,
  );
}

/** Everything about one pool, its name first. */
export function explainPool(
  pool: PoolReply,
  size: Sized | undefined,
  at: { now: number; paint: Paint },
): string[] {
  const head = `${at.paint.bold(`pool ${plain(pool.id)}`)}  ${plain(pool.runner)}, ${plain(pool.type)} ${pool.market} in ${plain(pool.region)}`;
  const body =
    size === undefined
      ? ['no plan yet: the loop has not finished its first round']
      : [...wantedLines(size, pool), ...haveLines(size), ...reasonLines(size)];
  return [head, ...[...body, ...nextLines(pool, at.now)].map((line) => `  ${line}`)];
}

/** What the last plan did over all pools, and when the loop looks again. */
export function explainActions(plan: PlanReply, now: number): string[] {
  if (plan.at === null) return [];
  const wake =
    plan.wake_at === null
      ? ''
      : `, next look in ${describeDuration(Date.parse(plan.wake_at) - now)} at the latest`;
  const head = `last plan ${describeAge(plan.at, now)} ago${wake}`;
  return plan.actions.length === 0
    ? [`${head}: nothing to do`]
    : [`${head}:`, ...plan.actions.map((action) => `  ${plain(action)}`)];
}
