// The makes of docker-machine that people run, as far as EC2 and time see a difference: which calls one create makes, how
// long it sleeps between looks, what setting up a booted host takes.
// Figures: counted in the source of docker/machine (2019, its last) and of GitLab's fork (v0.16.2-gitlab.23); what was
// measured is said so.

export type PeerFlavour = {
  /** Calls before the launch: subnets, key pairs twice, the machine's own key, groups. */
  before: readonly string[];
  /** Between looks at EC2 or SSH, by a draw from 0 to 1. */
  lookMs(draw: number): number;
  /** Looks at most for each thing it waits for. */
  looks: number;
  /** A spot machine by an open request that EC2 fills when it likes; else by RunInstances. */
  spotByRequest: boolean;
  /** A call for the tags, by market. */
  tagCall: { spot: boolean; onDemand: boolean };
  /** DescribeInstances beside those of the waits, on the way to a host: addresses and states looked up again. */
  lookups: number;
  /** DescribeInstances of one `config` or `url`. */
  lookupsOfCall: number;
  /** Setting up a booted host over SSH, by a draw. */
  provisionMs(draw: number): number;
  /** One call of EC2 and back. */
  callMs: number;
  /** A process from start to exit, without what it waits for; by a draw. */
  processMs(draw: number): number;
  /** Whether its calls count for EC2's limits. */
  limited: boolean;
};

const usual = {
  before: [
    'DescribeSubnets',
    'DescribeKeyPairs',
    'DescribeKeyPairs',
    'ImportKeyPair',
    'DescribeSecurityGroups',
  ],
  looks: 60,
  /** 6.6 to 17 s on a host with Docker installed: the mood of `apt-get update` (measured). */
  provisionMs: (draw: number): number => 6_600 + 10_400 * draw,
  callMs: 150,
  /** `config`, `url`, `ip`, `status`: 13 to 38 ms (measured). */
  processMs: (draw: number): number => 13 + 25 * draw,
  limited: true,
};

export const peerFlavours = {
  /** GitLab's fork: it remembers addresses and sleeps 3 to 12 s between looks. 11 calls a machine at least, 12 as spot. */
  gitlab: {
    ...usual,
    lookMs: (draw: number): number => 3_000 + 9_000 * draw,
    spotByRequest: false,
    tagCall: { spot: true, onDemand: false },
    lookups: 2,
    lookupsOfCall: 1,
  },
  /** docker/machine: one look a command over SSH, 19 of them. 34 calls a machine at least, 37 as spot. */
  upstream: {
    ...usual,
    lookMs: (): number => 3_000,
    spotByRequest: true,
    tagCall: { spot: true, onDemand: true },
    lookups: 24,
    lookupsOfCall: 2,
  },
  /** What a create could be at best: one launch, ready the moment the host answers, no limits of EC2. For what a policy
   * alone is worth, and for the runs that were measured with a stub. */
  bare: {
    ...usual,
    before: [],
    lookMs: (): number => 1_000,
    spotByRequest: false,
    tagCall: { spot: false, onDemand: false },
    lookups: 0,
    lookupsOfCall: 0,
    provisionMs: (): number => 0,
    callMs: 0,
    processMs: (): number => 1.25,
    limited: false,
  },
} satisfies Record<string, PeerFlavour>;

export type PeerFlavourName = keyof typeof peerFlavours;
