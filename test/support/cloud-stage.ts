// The cloud port on an emulated cloud over real HTTP, with hosts that only come and go: for tests of launches, listings
// and prices. Ends with the test.
import { onTestFinished } from 'vitest';
import { createCloud } from '../../src/adapters/aws/create-cloud.ts';
import { createClock } from '../../src/adapters/system/clock.ts';
import { buildRequest } from '../../src/domain/build-request.ts';
import type { CloudSite, LaunchSpec } from '../../src/domain/config.ts';
import { TAG } from '../../src/domain/instance.ts';
import type { LaunchRequest } from '../../src/domain/launch.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../src/emulator/start-emulator.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Cloud, LaunchAnswer } from '../../src/ports/cloud.ts';
import { forever, keepingLog, type Line, launchSpec, siteAt } from '../unit/adapters/aws/specimens.ts';

export type CloudStage = {
  emulator: Emulator;
  cloud: Cloud;
  clock: Clock;
  site: CloudSite;
  spec: LaunchSpec;
  lines: readonly Line[];
  request(token: string, more?: Partial<LaunchSpec>): Promise<LaunchRequest>;
  launch(token: string, count: number, more?: Partial<LaunchSpec>): Promise<LaunchAnswer>;
  /** Looks until it holds, some seconds long; then gives what was seen last. */
  look<T>(ask: () => Promise<T>, holds: (seen: T) => boolean): Promise<T>;
};

/** The region's three default subnets, a to c, as the emulated cloud names them. */
export function defaultSubnets(emulator: Emulator): string[] {
  return emulator.world
    .region('eu-central-1')
    .networks.defaultSubnets()
    .map(({ id }) => id);
}

export async function startCloudStage(
  options: EmulatorOptions = {},
  spec: Partial<LaunchSpec> | ((emulator: Emulator) => Partial<LaunchSpec>) = {},
): Promise<CloudStage> {
  const emulator = await startEmulator({
    bootMs: 200,
    unseenMs: 100,
    startHost: async () => await Promise.resolve({ close: async () => await Promise.resolve() }),
    ...options,
  });
  const clock = createClock();
  const log = keepingLog();
  const cloud = createCloud({ clock, log, env: {}, managerAddresses: () => ['10.0.0.5'] });
  onTestFinished(async () => {
    cloud.close();
    await emulator.close();
  });
  const site = siteAt(emulator.endpoint);
  const more = typeof spec === 'function' ? spec(emulator) : spec;
  const asked = launchSpec({ site, vpcId: null, subnetId: null, ...more });

  async function request(token: string, other: Partial<LaunchSpec> = {}): Promise<LaunchRequest> {
    const wanted = { ...asked, ...other };
    return buildRequest(wanted, await cloud.resolve(wanted, forever), {
      userData: Buffer.from('#!/bin/sh\n').toString('base64'),
      tags: {
        [TAG.owner]: 'me',
        [TAG.manager]: 'manager-1',
        [TAG.launch]: token,
        [TAG.pool]: 'build',
      },
      at: clock.now(),
    });
  }

  return {
    emulator,
    cloud,
    clock,
    site,
    spec: asked,
    lines: log.lines,
    request,
    launch: async (token, count, other) =>
      await cloud.launch(site, { token, count, request: await request(token, other) }, forever),
    look: async (ask, holds) => {
      for (let turn = 0; ; turn += 1) {
        const seen = await ask();
        if (holds(seen) || turn === 80) return seen;
        await clock.sleep(100);
      }
    },
  };
}
