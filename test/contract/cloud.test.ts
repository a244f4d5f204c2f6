// The cloud port against the emulated cloud where it needs more than the shared rules of cloud-cases.ts: who is let in, how
// often EC2 may be asked, what is looked up only once.
import { describe, expect, test } from 'vitest';
import { buildRequest } from '../../src/domain/build-request.ts';
import { outcomeOf } from '../../src/domain/outcome.ts';
import { startCloudStage } from '../support/cloud-stage.ts';
import { forever, launchSpec, resolvedLaunch } from '../unit/adapters/aws/specimens.ts';

describe('refusals', () => {
  test('wrong credentials are denied, in a launch and in a listing', async () => {
    const { cloud, site } = await startCloudStage({ accessKey: 'AKIDRIGHT' });
    const request = buildRequest(launchSpec(), resolvedLaunch, { userData: '', tags: {} });
    expect(await cloud.launch(site, { token: 't-1', count: 1, request }, forever)).toMatchObject({
      kind: 'refused',
      outcome: { kind: 'denied', scope: 'account' },
    });
    const error = await cloud.list(site, 'me', forever).catch((thrown: unknown) => thrown);
    expect(outcomeOf(error)).toMatchObject({ kind: 'denied', scope: 'account' });
  });

  test("our own buckets keep listings in a row below EC2's rate", async () => {
    const { cloud, site } = await startCloudStage();
    // Every one of them would throw if the emulated buckets ran dry.
    for (let look = 0; look < 110; look += 1) await cloud.list(site, 'me', forever);
    expect(cloud.calls()).toEqual({ DescribeInstances: 110 });
  });
});

describe('resolve', () => {
  test('the default image comes from SSM behind the same endpoint', async () => {
    const { request } = await startCloudStage({}, { ami: null });
    expect((await request('t-1')).imageId).toMatch(/^ami-/);
  });

  test('a group of hostler is made once and found again', async () => {
    const { cloud, emulator, site } = await startCloudStage({ strict: true });
    const spec = launchSpec({ site, ami: null, vpcId: null, subnetId: null, securityGroups: ['fresh'] });
    const first = await cloud.resolve(spec, forever);
    const second = await cloud.resolve({ ...spec, openPorts: ['8080/tcp'] }, forever);
    expect(second.securityGroupIds).toEqual(first.securityGroupIds);
    expect(emulator.calls()).toMatchObject({ CreateSecurityGroup: 1, AuthorizeSecurityGroupIngress: 2 });
  });
});
