// Where moto does not do as EC2 does, by the rule of the contract suite that it breaks, so that nothing else hides behind it.

export type Difference = {
  /** What moto does instead. */
  does: string;
  /** Why the rule and not moto is right. */
  why: string;
  /** What the broken rule says then, with what it met. */
  seen: RegExp;
};

const noCapacity = 'EC2 refuses what it has no machines for; moto has no notion of capacity';
const noTokens = 'EC2 answers a token that it knows with what it brought; moto reads no client tokens';
const knownAtOnce = "EC2's listings follow its launches by seconds; moto has one copy of everything";

export const motoDifferences: Readonly<Record<string, Difference>> = {
  'one call brings a batch, one call ends it': {
    does: 'launches MinCount, which is 1',
    why: 'EC2 launches as many as it can up to MaxCount',
    seen: /to have a length of 5 but got 1/,
  },
  'the token brings the same machine again, and no other': {
    does: 'launches once more',
    why: noTokens,
    seen: /expected \[ 'i-\w+' \] to deeply equal \[ 'i-\w+' \]/,
  },
  'the token with other parameters is told apart': {
    does: 'launches once more',
    why: noTokens,
    seen: /"kind":"launched"/,
  },
  'a part comes where capacity ends, then a refusal': {
    does: 'launches MinCount',
    why: noCapacity,
    seen: /to match object \{ kind: 'launched', short: 3 \}/,
  },
  'a full quota is named with its value': {
    does: 'launches beyond any quota',
    why: 'EC2 holds an account to its vCPUs; moto counts none',
    seen: /"kind":"launched"/,
  },
  'what has ended may be ended again': {
    does: 'fails inside',
    why: 'EC2 takes the end of an ended instance as done, for the hour in which it is listed',
    seen: /\[\{"kind":"failed"\}\]/,
  },
  'a machine that was just launched is not known yet, and soon is': {
    does: 'lists it at once',
    why: knownAtOnce,
    seen: /expected \[ Array\(1\) \] to deeply equal \[\]/,
  },
  'the token finds its machine while EC2 does not list it yet': {
    does: 'lists it at once',
    why: knownAtOnce,
    seen: /expected \[ Array\(1\) \] to deeply equal \[\]/,
  },
  'a fleet sent again with its token brings the same machines': {
    does: 'launches once more',
    why: noTokens,
    seen: /expected \[ 'i-\w+', …\(2\) \] to deeply equal \[ 'i-\w+', …\(2\) \]/,
  },
  'a spot fleet takes the cheapest place that has room': {
    does: 'takes the first override whatever it costs',
    why: 'EC2 weighs price and capacity of all places (price-capacity-optimized)',
    seen: /'m5\.large:eu-central-1a'.* to deeply equal \[ 'm5a\.large:eu-central-1b'/,
  },
  'a fleet takes the last places with room': {
    does: 'takes the first override',
    why: noCapacity,
    seen: /Set\{ 'm5\.large' \} to deeply equal Set\{ 'm5a\.large' \}/,
  },
  'a fleet without any room is refused, each place with its reason': {
    does: 'launches',
    why: noCapacity,
    seen: /"kind":"launched"/,
  },
  'a fleet gives a part where capacity ends': {
    does: 'launches all',
    why: noCapacity,
    seen: /to match object \{ kind: 'launched', short: 2 \}/,
  },
  'spot requests stay open without room, are cancelled, and filled later': {
    does: 'fills them at once',
    why: noCapacity,
    seen: /\[ 'active', 'active' \] to deeply equal \[ 'open', 'open' \]/,
  },
  'a spot request that EC2 does not know is not taken for cancelled': {
    does: 'fails inside',
    why: 'EC2 answers InvalidSpotInstanceRequestID.NotFound',
    seen: /"kind":"failed","outcome":\{"kind":"unknown"\}/,
  },
  'the request of a machine that is taken back closes while it still runs': {
    does: 'leaves it active',
    why: 'EC2 closes a one-time request with the interruption notice; moto takes no machine back',
    seen: /"state":"active","status":"fulfilled"/,
  },
  'each place has the spot price that it has now': {
    does: 'has one price for all',
    why: 'EC2 has a price for each type and zone; that of moto cannot be moved',
    seen: /usdPerHour: 0\.00001/,
  },
};
