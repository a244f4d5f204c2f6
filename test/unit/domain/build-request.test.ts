// From options to a request, and what counts as drift.
import { describe, expect, test } from 'vitest';
import { buildRequest, specHash } from '../../../src/domain/build-request.ts';
import type { HostSpec, LaunchSpec } from '../../../src/domain/config.ts';
import { hostSpec } from '../../support/builders.ts';
import { launchSpec, resolvedLaunch, siteAt } from '../adapters/aws/specimens.ts';

const build = (more: Partial<LaunchSpec>, extra: { userData?: string; tags?: Record<string, string> } = {}) =>
  buildRequest(launchSpec(more), resolvedLaunch, { userData: extra.userData ?? '', tags: extra.tags ?? {} });

describe('buildRequest', () => {
  test("the user's tags stay, hostler's own win, and Name is the pool's unless the user has one", () => {
    const own = { 'hostler:owner': 'me', 'hostler:pool': 'build' };
    expect(build({ tags: { team: 'ci', 'hostler:owner': 'forged' } }, { tags: own }).tags).toEqual({
      Name: 'hostler-build',
      team: 'ci',
      ...own,
    });
    expect(build({ tags: { Name: 'mine' } }, { tags: own }).tags['Name']).toBe('mine');
  });

  test('more tags than EC2 takes are refused with their number', () => {
    const tags = Object.fromEntries(Array.from({ length: 49 }, (_, n) => [`t${n}`, 'v']));
    expect(() => build({ tags }, { tags: { a: '1', b: '2' } })).toThrow(/52 tags.*remove 2/);
    expect(Object.keys(build({ tags }).tags)).toHaveLength(50);
  });

  test('user data up to 16 KB passes, one byte more is refused', () => {
    const data = (bytes: number) => Buffer.alloc(bytes, 1).toString('base64');
    expect(build({}, { userData: data(16_384) }).userData).toBe(data(16_384));
    expect(() => build({}, { userData: data(16_385) })).toThrow(/16385 bytes/);
  });

  test('a price cap is for spot only', () => {
    expect(build({ market: 'on-demand', maxPriceUsd: '0.50' }).maxPriceUsd).toBeNull();
    expect(build({ market: 'spot', maxPriceUsd: '0.50' }).maxPriceUsd).toBe('0.50');
  });

  test('the zone is the one that the subnet is in', () => {
    expect(build({ zone: null }).offering).toEqual({
      type: 'm5.large',
      zone: 'eu-central-1a',
      market: 'on-demand',
    });
  });
});

describe('specHash', () => {
  const hash = (launch: Partial<LaunchSpec> = {}, host: Partial<HostSpec> = {}, image = 'ami-1') =>
    specHash(launchSpec(launch), hostSpec(host), { ...resolvedLaunch, imageId: image });
  const plain = hash();

  test('is short and fit for a tag', () => {
    expect(plain).toMatch(/^[0-9a-f]{16}$/);
  });

  test.each<[string, string]>([
    ['the image', hash({}, {}, 'ami-2')],
    ['the type', hash({ instanceType: 'm5.xlarge' })],
    ['the market', hash({ market: 'spot' })],
    ['the disk', hash({ rootSizeGb: 17 })],
    ['the role', hash({ iamInstanceProfile: 'ci' })],
    ['tags', hash({ tags: { a: '1' } })],
    ['the user data', hash({ userData: 'I2Nsb3Vk' })],
    ['engine options', hash({}, { engineOptions: ['log-driver=journald'] })],
    ['a registry mirror', hash({}, { engineRegistryMirrors: ['https://mirror'] })],
  ])('%s makes a difference', (_what, other) => {
    expect(other).not.toBe(plain);
  });

  test.each<[string, string]>([
    ['another access key', hash({ site: siteAt(null, { key: 'eu-central-1/AKIDOTHER' }) })],
    ['another way to name the same image', hash({ ami: 'resolve:ssm:/x' })],
    ['a price cap', hash({ maxPriceUsd: '0.10' })],
    ['pre-pulled images', hash({}, { prepull: ['alpine'] })],
  ])('%s makes none', (_what, other) => {
    expect(other).toBe(plain);
  });

  test('a subnet that hostler chose anew makes none', () => {
    const chosen = { ...resolvedLaunch, imageId: 'ami-1', subnetId: 'subnet-2', zone: 'eu-central-1b' };
    expect(specHash(launchSpec(), hostSpec(), chosen)).toBe(plain);
  });

  test('the order of tags makes none', () => {
    expect(hash({ tags: { a: '1', b: '2' } })).toBe(hash({ tags: { b: '2', a: '1' } }));
  });
});
