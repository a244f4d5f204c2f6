// Tags and their limits: 50 a resource, keys up to 128 and values up to 256 characters, `aws:` is EC2's own.
import { refuse } from './ec2-error.ts';

export type Tag = { key: string; value: string };

/** Checks tags that a call sets; `present` are those already on the resource. */
export function checkTags(tags: readonly Tag[], present: ReadonlyMap<string, string> = new Map()): void {
  const keys = new Set<string>();
  for (const { key, value } of tags) {
    if (key === '' || key.length > 128) {
      refuse('InvalidParameterValue', `Tag key must be between 1 and 128 characters: '${key.slice(0, 140)}'`);
    }
    if (value.length > 256) refuse('InvalidParameterValue', `Tag value of '${key}' exceeds 256 characters.`);
    if (key.toLowerCase().startsWith('aws:')) {
      refuse(
        'InvalidParameterValue',
        `Tag keys starting with 'aws:' are reserved for internal use: '${key}'`,
      );
    }
    if (keys.has(key)) refuse('InvalidParameterValue', `Duplicate tag key '${key}' specified.`);
    keys.add(key);
  }
  if (new Set([...present.keys(), ...keys]).size > 50) {
    refuse('TagLimitExceeded', 'More than 50 tags specified');
  }
}

export const tagMap = (tags: readonly Tag[]): Map<string, string> =>
  new Map(tags.map(({ key, value }) => [key, value]));
