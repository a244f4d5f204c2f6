// The closed set of reasons: explain, events, logs and metrics all use these codes and no others.
// Every plan carries them, also for doing nothing (design §5, §12).

export const reasonTexts = {
  // why this many
  demand: 'jobs wait for a machine',
  'idle-wanted': 'idle machines are wanted',
  'idle-ahead': 'a period that wants more idle machines begins within a boot time',
  lookahead: 'idle machines for jobs whose stage is about to begin',
  forecast: 'the idle count follows what is usual at this hour of the week',
  'reserve-doubled':
    'handed machines turned busy at once and half of the idle ones were used up, so the reserve was doubled',
  enough: 'the pool has what it wants',
  limit: "the runner's limit holds growth back",
  'max-machines': 'max_machines holds growth back',
  'max-cost': 'max_cost_per_hour holds growth back',
  'max-coming': 'MaxGrowthRate (max_coming) holds growth back',
  'ec2-budget': 'the EC2 call budget holds growth back',
  concurrent: "the runner's concurrent lets no more jobs run at once",
  'offering-closed': 'launches failed lately; the next try is due later',
  'failed-launches': 'failed_launches_per_minute holds growth back: too many launch calls failed just now',
  'open-requests': 'no more spot requests may be open at a time',
  'requests-open': 'spot requests are open: EC2 has not filled them yet',
  'requests-unseen':
    'spot requests of a lost state may be open: nothing is requested before EC2 has shown them',
  'queue-stale': 'the job queue was not seen lately; nothing is launched or ended for it',
  paused: 'the pool is paused',
  'draining-pool': 'the pool is being drained',
  'stale-instances': 'the list of instances is stale; the store counts',
  'retire-frozen': 'the clock jumped; retirements wait one IdleTime',
  'state-unwritable': 'the state folder cannot be written: nothing is launched, ended or handed over',
  // why a machine ends
  'idle-time': 'idle longer than IdleTime and not wanted',
  'max-builds': 'it has run MaxBuilds jobs',
  'max-age': 'older than max_age',
  'max-life': 'older than max_machine_life',
  'over-limit': 'it stands beyond the limit',
  drift: 'made from an older AMI or older options',
  unhealthy: 'its Docker API does not answer',
  'boot-timeout': 'it did not become ready within boot_timeout',
  'provision-failed': 'provisioning failed',
  'launch-failed': 'EC2 refused the launch',
  'launch-lost': 'the launch never showed an instance',
  'instance-gone': 'its instance ended outside hostler',
  interrupted: 'EC2 takes its spot instance back',
  rebalance: 'EC2 advises to move on from its instance',
  orphan: 'an instance of this manager without a record',
  'pool-removed': 'its pool is no longer in the configuration',
  'by-person': 'a person asked for it',
  cleanup: 'cleanup ends all machines of this owner',
  'disk-full': 'its disk stays above the watermark',
  'not-renewed': 'its dead-man timer cannot be renewed, so it would end itself while idle',
  'clean-failed': 'it could not be cleaned after a lease',
  // what else happens
  adopted: 'a known instance was taken back',
  granted: 'a ready machine was handed over',
  'lease-waiting': 'a create waits for a machine',
  'lease-ended': 'the runner gave the machine back',
  'lease-dropped': 'the caller of create went away',
  'lease-abandoned': 'nobody holds it any more: no folder or no section, and no job on its host',
  'lease-relearned': "known again from the runner's folder or the host's containers",
  'runner-race': 'the runner has jobs that neither have a machine nor wait for one',
  'foreign-ended': 'a machine made by another docker-machine was removed',
  'lease-timeout': 'create_wait passed without a machine',
  'job-lost': 'its host was lost while the job ran',
  'request-cancelled': 'a spot request without use was cancelled',
  'breaker-reset': 'a person opened what was closed after failed launches',
  'leftover-removed': 'something of this manager in EC2 had outlived its use and was removed',
  'leftover-failed': 'something of this manager in EC2 cannot be removed; it is tried again',
  'connections-reset':
    'its host is gone or silent: open connections to it were closed, so that its job fails at once',
  'reset-failed': 'open connections to lost hosts cannot be closed on this machine',
  provisioning: 'its instance has an address; it is made a Docker host',
  'became-ready': 'the host answers over TLS',
  'renew-failed': 'its dead-man timer was not renewed; it is tried again',
  renewed: 'its dead-man timer is renewed again',
  'disk-pruned': 'its disk was above the watermark: what Docker can spare was removed',
  launched: 'EC2 accepted the launch',
  'launch-unknown': 'the launch answer was lost; the same token is asked again',
  terminating: 'EC2 is asked to end the instances of ended machines',
  terminated: 'EC2 accepted the termination',
  'terminate-failed': 'EC2 refused the termination; it is tried again',
  'other-manager': 'belongs to another manager: never touched',
  'queue-source': 'where the job queue is read',
  'queue-lost': 'the job queue cannot be read; the pool is held as it is',
  'queue-back': 'the job queue is read again',
  'job-ended': 'every job that this create could be for has ended in GitLab',
  'config-reloaded': 'the configuration was read again',
  'config-refused': 'the new configuration was refused; the old one stays',
  'state-writable': 'the state folder can be written again',
  'state-lost': 'the database was damaged or lost; machines are taken back by their tags',
  'keys-lost': 'the keys are not those that the machines were made with',
  'clock-jumped': 'the clock of this machine jumped; lengths of time stay what they were',
  started: 'the daemon started',
  stopping: 'the daemon stops',
} as const;

export type ReasonCode = keyof typeof reasonTexts;

/** A reason with its place and its figures. */
export type Reason = {
  code: ReasonCode;
  pool?: string;
  machine?: string;
  /** Figures and names behind it, flat, for logs and `explain`. No secrets. */
  detail?: Readonly<Record<string, string | number | boolean | null>>;
};

/** One readable line: `idle-time: idle longer than IdleTime and not wanted (idle_s=1810, idle_time_s=1800)`. */
export function describeReason(reason: Reason): string {
  const figures = Object.entries(reason.detail ?? {}).map(([key, value]) => `${key}=${String(value)}`);
  return `${reason.code}: ${reasonTexts[reason.code]}${figures.length > 0 ? ` (${figures.join(', ')})` : ''}`;
}
