// From a pool's options and what they resolve to, the exact launch request, and the hash that drift compares.
// Pure: no look-ups, no clock. User data arrives ready made (provision composes it).
// Trap: the hash must not change by itself (chosen subnet, host keys, credentials), or a whole pool would be replaced.
import { createHash } from 'node:crypto';
import type { HostSpec, LaunchSpec } from './config.ts';
import { HostlerError } from './error.ts';
import { TAG } from './instance.ts';
import type { LaunchRequest, ResolvedLaunch } from './launch.ts';

/** Tags; EC2 takes at most 50 on one resource (facts: tag on create). */
export const MAX_TAGS = 50;

/** Bytes; EC2 takes at most 16 KB of user data, counted before the base64 encoding. */
export const MAX_USER_DATA_BYTES = 16_384;

/** Changes when the hash's own recipe changes, so that old and new hashes cannot be mistaken for each other. */
const RECIPE = 1;

/**
 * The launch request for one call. `extra.tags` are hostler's own and win over the user's; `Name` is `hostler-<pool>`
 * unless the user set one: hosts of one call are equal, so a name for each of them does not exist.
 * Throws `config-invalid` when tags or user data are beyond EC2's limits.
 */
export function buildRequest(
  spec: LaunchSpec,
  resolved: ResolvedLaunch,
  extra: { userData: string; tags: Readonly<Record<string, string>> },
): LaunchRequest {
  const tags = { Name: `hostler-${extra.tags[TAG.pool] ?? 'machine'}`, ...spec.tags, ...extra.tags };
  const tagCount = Object.keys(tags).length;
  if (tagCount > MAX_TAGS) {
    throw new HostlerError(
      'config-invalid',
      `amazonec2-tags: ${tagCount} tags with hostler's own, EC2 takes ${MAX_TAGS}; remove ${tagCount - MAX_TAGS}`,
    );
  }
  const bytes = Math.floor((extra.userData.replace(/=+$/, '').length * 3) / 4);
  if (bytes > MAX_USER_DATA_BYTES) {
    throw new HostlerError(
      'config-invalid',
      `amazonec2-userdata: ${bytes} bytes with hostler's own part, EC2 takes ${MAX_USER_DATA_BYTES}; shorten the file`,
    );
  }
  return {
    offering: { type: spec.instanceType, zone: resolved.zone ?? spec.zone, market: spec.market },
    imageId: resolved.imageId,
    subnetId: resolved.subnetId,
    securityGroupIds: resolved.securityGroupIds,
    associatePublicIp: !spec.privateAddressOnly,
    keyName: spec.keypairName,
    iamInstanceProfile: spec.iamInstanceProfile,
    maxPriceUsd: spec.market === 'spot' ? spec.maxPriceUsd : null,
    rootDevice: resolved.rootDevice,
    rootSizeGb: spec.rootSizeGb,
    volumeType: spec.volumeType,
    volumeEncrypted: spec.volumeEncrypted,
    volumeKmsKey: spec.volumeKmsKey,
    monitoring: spec.monitoring,
    ebsOptimized: spec.ebsOptimized,
    metadataTokens: spec.metadataTokens,
    metadataHopLimit: spec.metadataHopLimit,
    userData: extra.userData,
    tags,
  };
}

/**
 * Left out of the hash on purpose: credentials (they rotate), the image's name (its id counts), the price cap and the
 * groups' rules (they change no running host), waiting and pre-pull options (they act on a machine's way only).
 */
const notCompared = {
  launch: ['site', 'ami', 'maxPriceUsd', 'securityGroupReadonly', 'openPorts'] satisfies (keyof LaunchSpec)[],
  host: ['prepull', 'waitUserData'] satisfies (keyof HostSpec)[],
};

/**
 * 16 hex digits over all that makes a host what it is: image, type, network as the options name it (not the subnet
 * hostler chose), disk, identity, user's user data, engine. Machines with another hash have drifted.
 */
export function specHash(spec: LaunchSpec, host: HostSpec, resolved: ResolvedLaunch): string {
  const facts = {
    recipe: RECIPE,
    region: spec.site.region,
    image: resolved.imageId,
    rootDevice: resolved.rootDevice,
    launch: without(spec, notCompared.launch),
    host: without(host, notCompared.host),
  };
  return createHash('sha256').update(canonical(facts)).digest('hex').slice(0, 16);
}

function without(value: object, keys: readonly string[]): object {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

/** JSON with sorted keys: equal content gives equal text, whatever order the file had. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
