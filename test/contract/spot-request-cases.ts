// The rules of the cloud port about EC2's old way to spot machines; part of cloud-cases.ts.
import { expect } from 'vitest';
import type { LaunchSpec } from '../../src/domain/config.ts';
import { TAG } from '../../src/domain/instance.ts';
import { noticesOfRequests } from '../../src/domain/spot-request.ts';
import type { LaunchAnswer } from '../../src/ports/cloud.ts';
import { type CloudCase, wordsOf, zones } from '../support/cloud/side.ts';
import { forever } from '../unit/adapters/aws/specimens.ts';

const bySpotRequest = {
  market: 'spot',
  markets: ['spot'],
  way: 'spot-request',
} satisfies Partial<LaunchSpec>;
const spotPlaces = zones.map((zone) => ({ type: 'm5.large', zone, market: 'spot' as const }));

const requestsOf = (answer: LaunchAnswer): readonly string[] =>
  answer.kind === 'launched' ? (answer.requests ?? []) : [];

export const spotRequestCases: readonly CloudCase[] = [
  {
    name: 'a spot request is filled, its machine tagged, and it is cancelled',
    async run(side) {
      const { cloud, site, launch, listed, until } = wordsOf(side);
      const answer = await launch('t-1', 1, bySpotRequest);
      expect(answer).toMatchObject({
        kind: 'launched',
        instances: [],
        short: 0,
        requests: [expect.stringMatching(/^sir-/) as string],
      });
      const [filled] = await until(
        () => cloud.listSpotRequests(site, 'me', forever),
        ([one]) => one?.state === 'active',
      );
      const tags = { [TAG.owner]: 'me', [TAG.launch]: 't-1' };
      expect(filled).toMatchObject({ state: 'active', status: 'fulfilled', type: 'm5.large', tags });
      expect(await listed()).toEqual([]);
      await cloud.tagInstances(site, [filled?.instance ?? ''], tags, forever);
      expect(await until(listed, (list) => list.length > 0)).toMatchObject([
        { id: filled?.instance, market: 'spot' },
      ]);
      const ended = await cloud.cancelSpotRequests(site, [filled?.id ?? ''], forever);
      expect(ended).toMatchObject([{ kind: 'done' }]);
    },
  },
  {
    name: 'spot requests stay open without room, are cancelled, and filled later',
    async run(side) {
      const { cloud, site, launch, set, until } = wordsOf(side);
      for (const place of spotPlaces) set.capacity(place, 0);
      const requests = requestsOf(await launch('t-1', 2, bySpotRequest));
      expect(requests).toHaveLength(2);
      const shown = () => cloud.listSpotRequests(site, 'me', forever);
      const waiting = await until(
        shown,
        (seen) => seen.length === 2 && seen.every(({ status }) => status !== 'pending-evaluation'),
      );
      expect(waiting.map(({ state }) => state)).toEqual(['open', 'open']);
      const ended = await cloud.cancelSpotRequests(site, requests.slice(0, 1), forever);
      expect(ended).toMatchObject([{ kind: 'done' }]);
      for (const place of spotPlaces) set.capacity(place, null);
      const seen = await until(shown, (list) => list.some(({ state }) => state === 'active'));
      expect(seen.map(({ state }) => state).toSorted()).toEqual(['active', 'cancelled']);
    },
  },
  {
    name: 'a spot request that EC2 does not know is not taken for cancelled',
    async run({ cloud, site }) {
      expect(await cloud.cancelSpotRequests(site, ['sir-00000000'], forever)).toMatchObject([
        { id: 'sir-00000000', kind: 'failed', outcome: { kind: 'not-found' } },
      ]);
    },
  },
  {
    name: 'the request of a machine that is taken back closes while it still runs',
    async run(side) {
      const { cloud, site, launch, until, set } = wordsOf(side);
      await launch('t-1', 1, bySpotRequest);
      const shown = () => cloud.listSpotRequests(site, 'me', forever);
      const [filled] = await until(shown, ([one]) => one?.state === 'active');
      const id = filled?.instance ?? '';
      await cloud.tagInstances(site, [id], { [TAG.owner]: 'me' }, forever);
      const alive = () => cloud.list(site, 'me', forever);
      await until(alive, ([one]) => one?.state === 'running');
      await set.tell('reclaim', id);
      const closed = await shown();
      expect(closed).toMatchObject([{ state: 'closed', status: 'instance-terminated-no-capacity' }]);
      expect(await alive()).toMatchObject([{ id, state: 'running' }]);
      expect(noticesOfRequests(closed, () => true)).toMatchObject([
        { instance: id, kind: 'interruption', source: 'spot-requests' },
      ]);
    },
  },
];
