import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { aLease, aMachine, anEvent, aPool, aStatus, planSize } from '../../support/scripted-daemon.ts';

const text = readFileSync(join(import.meta.dirname, '../../../docs/api.md'), 'utf8');

/** Text of one section of docs/api.md. */
function section(title: string): string {
  const [, body = ''] = text.split(`\n## ${title}\n`);
  return body.split('\n## ')[0] ?? '';
}

test.each([
  ['Status', aStatus],
  ['Machine', aMachine],
  ['Lease', aLease],
  ['Pool', aPool],
  ['Plan', planSize],
  ['Event', anEvent],
])('docs/api.md names every key of %s', (title, reply) => {
  const body = section(title);
  expect(Object.keys(reply).filter((key) => !body.includes(`\`${key}\``))).toEqual([]);
});
