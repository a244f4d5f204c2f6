// The EventBridge rules that fill a queue with what hostler wants to hear, and the queue's own policy: printed for people
// to put into their account. hostler itself makes neither.

/** Events that are worth a message, by EventBridge's names. */
const wanted = [
  { name: 'hostler-spot-interruption', source: 'aws.ec2', type: 'EC2 Spot Instance Interruption Warning' },
  { name: 'hostler-rebalance', source: 'aws.ec2', type: 'EC2 Instance Rebalance Recommendation' },
  { name: 'hostler-instance-state', source: 'aws.ec2', type: 'EC2 Instance State-change Notification' },
  { name: 'hostler-health', source: 'aws.health', type: 'AWS Health Event' },
] as const;

export type EventRules = {
  queueArn: string;
  rules: readonly {
    name: string;
    /** As `aws events put-rule --event-pattern` takes it. */
    eventPattern: Readonly<Record<string, unknown>>;
    /** As `aws events put-targets --targets` takes it. */
    targets: readonly { id: string; arn: string }[];
  }[];
  /** The queue's `Policy` attribute: EventBridge may write to it, for these rules only. */
  queuePolicy: Readonly<Record<string, unknown>>;
};

/** The queue's ARN by its URL, or null where the URL does not tell region and account (an endpoint of one's own). */
export function queueArn(url: string): string | null {
  const found =
    /^https:\/\/(?:[^/]+\.)?sqs\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?)\/(\d{12})\/([\w-]{1,80}(?:\.fifo)?)$/.exec(
      url,
    );
  if (found === null) return null;
  const [, region = '', host = '', account = '', name = ''] = found;
  return `arn:${host.endsWith('.cn') ? 'aws-cn' : 'aws'}:sqs:${region}:${account}:${name}`;
}

/** Rules and queue policy for one queue. */
export function eventRules(arn: string): EventRules {
  const [, partition = 'aws', , region = '', account = ''] = arn.split(':');
  const rules = wanted.map(({ name, source, type }) => ({
    name,
    eventPattern: {
      source: [source],
      'detail-type': [type],
      ...(source === 'aws.health' && { detail: { service: ['EC2'] } }),
    },
    targets: [{ id: 'hostler', arn }],
  }));
  const sources = rules.map(({ name }) => `arn:${partition}:events:${region}:${account}:rule/${name}`);
  return {
    queueArn: arn,
    rules,
    queuePolicy: {
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'EventsForHostler',
          Effect: 'Allow',
          Principal: { Service: 'events.amazonaws.com' },
          Action: 'sqs:SendMessage',
          Resource: arn,
          Condition: { ArnEquals: { 'aws:SourceArn': sources } },
        },
      ],
    },
  };
}
