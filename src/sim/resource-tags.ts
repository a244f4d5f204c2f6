// CreateTags and DeleteTags: finds what an id names and changes its tags, all resources of a call or none.
// Trap: EC2 takes tags for a new instance before it lists it; docker-machine relies on that for spot instances.
import { refuse } from './ec2-error.ts';
import type { Instances } from './instances.ts';
import type { KeyPairs } from './key-pairs.ts';
import type { LaunchTemplates } from './launch-templates.ts';
import type { SecurityGroups } from './security-groups.ts';
import type { SpotRequests } from './spot-requests.ts';
import { checkTags, type Tag } from './tags.ts';
import type { Volumes } from './volumes.ts';

/** Tags of the resource with that id, or null when there is none. */
export type TagFinder = (id: string) => Map<string, string> | null;

/** To take a tag away: with a value only where it has that value. */
export type TagPattern = { key: string; value: string | null };

/** Finds instances, volumes, key pairs, security groups, launch templates and spot requests. */
export function tagFinder(parts: {
  instances: Instances;
  keyPairs: KeyPairs;
  groups: SecurityGroups;
  spotRequests: SpotRequests;
  volumes: Volumes;
  templates: LaunchTemplates;
}): TagFinder {
  const { instances, keyPairs, groups, spotRequests, volumes, templates } = parts;
  return (id) => {
    if (id.startsWith('i-')) return instances.find(id)?.tags ?? null;
    if (id.startsWith('vol-')) return volumes.find(id)?.tags ?? null;
    if (id.startsWith('lt-')) return templates.byId(id)?.tags ?? null;
    if (id.startsWith('key-')) return keyPairs.byId(id)?.tags ?? null;
    // In a lenient world the ids of a configuration exist by being named.
    if (/^sg-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) return groups.byId(id).tags;
    return spotRequests.find(id)?.tags ?? null;
  };
}

function targetsOf(find: TagFinder, resources: readonly string[]): Map<string, string>[] {
  if (resources.length === 0)
    refuse('MissingParameter', 'The request must contain the parameter resourceIdSet');
  return resources.map((id) => {
    const found = find(id);
    if (found !== null) return found;
    if (/^i-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) {
      refuse('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`);
    }
    return refuse('InvalidID', `The ID '${id.slice(0, 60)}' is not valid`);
  });
}

export function createTags(find: TagFinder, resources: readonly string[], tags: readonly Tag[]): void {
  const targets = targetsOf(find, resources);
  if (tags.length === 0) refuse('MissingParameter', 'The request must contain the parameter tagSet');
  for (const target of targets) checkTags(tags, target);
  for (const target of targets) for (const { key, value } of tags) target.set(key, value);
}

/** Without patterns all tags go; a tag that is not there is no error. */
export function deleteTags(
  find: TagFinder,
  resources: readonly string[],
  patterns: readonly TagPattern[],
): void {
  for (const target of targetsOf(find, resources)) {
    if (patterns.length === 0) target.clear();
    for (const { key, value } of patterns) {
      if (value === null || target.get(key) === value) target.delete(key);
    }
  }
}
