// From a pool's options and what they resolve to, the exact launch request, and the hash that drift compares.
// Pure: no look-ups, no clock. User data arrives ready made (provision composes it).
// Trap: the hash must not change by itself (chosen subnet, host keys, credentials), or a whole pool would be replaced.
import { createHash } from 'node:crypto';
import type { HostSpec, LaunchSpec } from './config.ts';
import { HostlerError } from './error.ts';
import { TAG } from './instance.ts';
import type { LaunchRequest, ResolvedLaunch } from './launch.ts';
import { type Place, wayFor } from './offering.ts';
import { type DurationMs, type EpochMs, MINUTE_MS } from './units.ts';

/** Tags; EC2 takes at most 50 on one resource (facts: tag on create). */
export const MAX_TAGS = 50;

/** Bytes; EC2 takes at most 16 KB of user data, counted before the base64 encoding. */
export const MAX_USER_DATA_BYTES = 16_384;

/** How long EC2 may look for a machine for an open spot request: some boots, far below EC2's own seven days. */
export const SPOT_REQUEST_VALID_MS: DurationMs = 5 * MINUTE_MS;

/** Changes when the hash's own recipe changes, so that old and new hashes cannot be mistaken for each other. */
const RECIPE = 1;

/** What a request is made of beside options and look-ups. */
export type RequestExtra = {
  userData: string;
  tags: Readonly<Record<string, string>>;
  /** The places that this launch may use, all of one market; default: all of the pool's preferred market. */
  places?: readonly Place[];
  /** Now on EC2's clock; a spot request counts its validity from here. */
  at?: EpochMs;
};

/**
 * The launch request for one call. `extra.tags` are hostler's own and win over the user's; `Name` is `hostler-<pool>`
 * unless the user set one: hosts of one call are equal, so a name for each of them does not exist.
 * Throws `config-invalid` when tags or user data are beyond EC2's limits.
 */
export function buildRequest(spec: LaunchSpec, resolved: ResolvedLaunch, extra: RequestExtra): LaunchRequest {
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
  const chosen = choose(spec, resolved, extra);
  return {
    ...chosen,
    imageId: resolved.imageId,
    subnetId: chosen.places[0]?.subnetId ?? resolved.subnetId,
    securityGroupIds: resolved.securityGroupIds,
    associatePublicIp: !spec.privateAddressOnly,
    keyName: spec.keypairName,
    iamInstanceProfile: spec.iamInstanceProfile,
    maxPriceUsd: chosen.offering.market === 'spot' ? spec.maxPriceUsd : null,
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

/** Where the machines may come from, and the way of the call. */
function choose(spec: LaunchSpec, resolved: ResolvedLaunch, extra: RequestExtra) {
  const places = extra.places ?? resolved.places.filter(({ market }) => market === spec.market);
  const market = places[0]?.market ?? spec.market;
  const wanted = wayFor(spec.way, places.length, spec.template !== null);
  // A spot request is for spot alone; the same pool's machines on demand go the plain way.
  const way = wanted === 'spot-request' && market === 'on-demand' ? 'run-instances' : wanted;
  const { at } = extra;
  return {
    offering: {
      type: places[0]?.type ?? spec.instanceType,
      zone: places[0]?.zone ?? resolved.zone ?? spec.zone,
      market,
    },
    way,
    places,
    ...(spec.needs !== null && market === 'on-demand' && { isByPrice: true }),
    ...(spec.template !== null && { template: spec.template }),
    ...(way === 'spot-request' && at !== undefined && { validUntil: at + SPOT_REQUEST_VALID_MS }),
  };
}

/**
 * Left out of the hash on purpose: credentials (they rotate), the image's name (its id counts), the price cap and the
 * groups' rules (they change no running host), waiting and pre-pull options (they act on a machine's way only), and
 * lists of places: adding a type must not replace machines of the others.
 */
const notCompared = {
  launch: [
    'site',
    'ami',
    'maxPriceUsd',
    'securityGroupReadonly',
    'openPorts',
    'instanceTypes',
    'needs',
    'subnetIds',
    'markets',
    'way',
    'template',
  ] satisfies (keyof LaunchSpec)[],
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
    launch: { ...without(spec, notCompared.launch), ...chosenAtLaunch(spec) },
    ...(spec.template !== null && { template: spec.template }),
    host: without(host, notCompared.host),
  };
  return createHash('sha256').update(canonical(facts)).digest('hex').slice(0, 16);
}

/** Where a launch chooses, the first of each list says nothing about a machine. */
function chosenAtLaunch(spec: LaunchSpec): Partial<Record<keyof LaunchSpec, null>> {
  return {
    ...((spec.instanceTypes.length > 1 || spec.needs !== null) && { instanceType: null }),
    ...(spec.subnetIds.length > 1 && { subnetId: null }),
    ...(spec.markets.length > 1 && { market: null }),
  };
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
