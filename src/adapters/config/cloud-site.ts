// The account, region and endpoint that a pool's options name.
// Trap: the site's key goes into records, so it must survive a rotation of access keys and the way from keys to an
// instance role, and hold nothing of a secret: two accounts in one region are told apart by their order in the file.
import { isIP } from 'node:net';
import type { CloudSite } from '../../domain/config.ts';
import { Secret } from '../../domain/config.ts';
import { shown } from './findings.ts';
import type { MachineOptions } from './machine-options.ts';
import { hint } from './nearest.ts';
import type { Reading } from './reading.ts';
import { readSecret } from './secret.ts';

/** EC2's regions at the time of writing; a new one is only a warning away. */
const regions =
  'af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1 cn-north-1 cn-northwest-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-west-1 us-west-2'.split(
    ' ',
  );

/** As docker-machine's. */
const DEFAULT_REGION = 'us-east-1';

export type SiteScope = { reading: Reading; pool: string; assumeRoleArn: string | null; accounts: Accounts };

/** Identities by region and endpoint, in order of appearance: sites are told apart by number, without naming a key. */
export type Accounts = Map<string, string[]>;

function readRegion({ reading, pool }: SiteScope, options: MachineOptions, endpoint: string | null): string {
  const region = options.text('amazonec2-region') ?? DEFAULT_REGION;
  const spot = options.spot('amazonec2-region');
  if (!/^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$/.test(region) && endpoint === null) {
    const said = `amazonec2-region ${shown(region)} is no region${hint(region, regions)}`;
    reading.findings.error('option-value', said, spot, pool);
  } else if (!regions.includes(region) && endpoint === null) {
    const said = `amazonec2-region ${shown(region)} is not a region known here${hint(region, regions)}`;
    reading.findings.warn('region-unknown', said, spot, pool);
  }
  return region;
}

/** Scheme added as docker-machine does: https, or http with insecure-transport. */
function readEndpoint({ reading, pool }: SiteScope, options: MachineOptions): string | null {
  const written = options.text('amazonec2-endpoint');
  const insecure = options.isOn('amazonec2-insecure-transport', false);
  if (written === null || written === '') {
    if (insecure) {
      const spot = options.spot('amazonec2-insecure-transport');
      reading.findings.error(
        'option-value',
        'amazonec2-insecure-transport needs amazonec2-endpoint',
        spot,
        pool,
      );
    }
    return null;
  }
  const spot = options.spot('amazonec2-endpoint');
  const full = /^[a-z]+:\/\//i.test(written) ? written : `${insecure ? 'http' : 'https'}://${written}`;
  const url = URL.canParse(full) ? new URL(full) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '') {
    const said = `amazonec2-endpoint must be an address such as https://ec2.eu-central-1.amazonaws.com, is ${shown(written)}`;
    reading.findings.error('option-value', said, spot, pool);
    return null;
  }
  const isNear = url.hostname === 'localhost' || isIP(url.hostname.replaceAll(/[[\]]/g, '')) > 0;
  if (url.protocol === 'http:' && !isNear && !insecure) {
    const said = 'amazonec2-endpoint goes over plain http: requests can be read on their way';
    reading.findings.warn('endpoint-plain', said, spot, pool);
  }
  return url.href.replace(/\/$/, '');
}

type Credentials = CloudSite['credentials'];

async function readCredentials(scope: SiteScope, options: MachineOptions): Promise<Credentials> {
  const { reading, pool } = scope;
  const [id, secret, session] = await Promise.all(
    ['amazonec2-access-key', 'amazonec2-secret-key', 'amazonec2-session-token'].map(async (name) => {
      const written = options.text(name);
      if (written === null || written === '') return null;
      return readSecret(reading, written, options.spot(name), pool);
    }),
  );
  if (!id && !secret) {
    if (session) {
      const said =
        'amazonec2-session-token has no effect without amazonec2-access-key and amazonec2-secret-key';
      reading.findings.warn('credentials-half', said, options.spot('amazonec2-session-token'), pool);
    }
    return { kind: 'chain' };
  }
  if (!id || !secret) {
    const [has, lacks] = id
      ? ['amazonec2-access-key', 'amazonec2-secret-key']
      : ['amazonec2-secret-key', 'amazonec2-access-key'];
    reading.findings.error('credentials-half', `${has} needs ${lacks} beside it`, options.spot(has), pool);
    return { kind: 'chain' };
  }
  return {
    kind: 'static',
    accessKeyId: id,
    secretAccessKey: new Secret(secret),
    sessionToken: session ? new Secret(session) : null,
  };
}

/** `base` for the first credentials seen with it, `base account2` for the next, and so on. */
function siteKey(accounts: Accounts, base: string, credentials: Credentials): string {
  const identity = credentials.kind === 'chain' ? '' : credentials.accessKeyId;
  const known = accounts.get(base) ?? [];
  accounts.set(base, known);
  if (!known.includes(identity)) known.push(identity);
  const number = known.indexOf(identity) + 1;
  return number === 1 ? base : `${base} account${number}`;
}

/** The site of one section's options. */
export async function readSite(scope: SiteScope, options: MachineOptions): Promise<CloudSite> {
  const endpoint = readEndpoint(scope, options);
  const region = readRegion(scope, options, endpoint);
  const credentials = await readCredentials(scope, options);
  const { assumeRoleArn } = scope;
  const account = /:iam::(\d{12}):/.exec(assumeRoleArn ?? '')?.[1];
  const base = [region, endpoint, account].filter((part) => typeof part === 'string').join(' ');
  return {
    key: siteKey(scope.accounts, base, credentials),
    region,
    endpoint,
    credentials,
    assumeRoleArn,
  };
}
