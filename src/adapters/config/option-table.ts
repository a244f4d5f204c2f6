// Every `amazonec2-*` and generic create option that docker-machine, GitLab's fork and CKI's fork know: its kind, the
// environment variable docker-machine reads in its absence, and what becomes of it here.
// Trap: an option that is taken and does nothing must say so: give it `idle`, the reason that `check` shows.

export type OptionKind = 'text' | 'list' | 'switch' | 'whole';

export type OptionRule = {
  kind: OptionKind;
  variable?: string;
  /** Why it has no effect. */
  idle?: string;
  /** Its value is never shown. */
  secret?: boolean;
  /** CKI's fork takes it several times: one is chosen at launch. */
  repeatable?: boolean;
};

const swarm = { kind: 'text', idle: 'Docker Swarm standalone is gone; nothing uses it' } as const;
const swarmSwitch = { ...swarm, kind: 'switch' } as const;

/** By name, without leading dashes. */
export const optionTable: Readonly<Record<string, OptionRule>> = {
  'amazonec2-access-key': { kind: 'text', secret: true },
  'amazonec2-secret-key': { kind: 'text', secret: true },
  'amazonec2-session-token': { kind: 'text', secret: true },
  'amazonec2-region': { kind: 'text', variable: 'AWS_DEFAULT_REGION' },
  'amazonec2-ami': { kind: 'text', variable: 'AWS_AMI' },
  'amazonec2-vpc-id': { kind: 'text', variable: 'AWS_VPC_ID' },
  'amazonec2-zone': { kind: 'text', variable: 'AWS_ZONE' },
  'amazonec2-subnet-id': { kind: 'text', variable: 'AWS_SUBNET_ID', repeatable: true },
  'amazonec2-security-group': { kind: 'list', variable: 'AWS_SECURITY_GROUP' },
  'amazonec2-security-group-readonly': { kind: 'switch', variable: 'AWS_SECURITY_GROUP_READONLY' },
  'amazonec2-open-port': { kind: 'list' },
  'amazonec2-tags': { kind: 'text', variable: 'AWS_TAGS' },
  'amazonec2-instance-type': { kind: 'text', variable: 'AWS_INSTANCE_TYPE', repeatable: true },
  'amazonec2-device-name': { kind: 'text', variable: 'AWS_DEVICE_NAME' },
  'amazonec2-root-size': { kind: 'whole', variable: 'AWS_ROOT_SIZE' },
  'amazonec2-volume-type': { kind: 'text', variable: 'AWS_VOLUME_TYPE' },
  'amazonec2-volume-encrypted': { kind: 'switch' },
  'amazonec2-volume-kms-key': { kind: 'text', variable: 'AWS_VOLUME_KMS_KEY' },
  'amazonec2-iam-instance-profile': { kind: 'text', variable: 'AWS_INSTANCE_PROFILE' },
  'amazonec2-ssh-port': { kind: 'whole', variable: 'AWS_SSH_PORT' },
  'amazonec2-ssh-user': { kind: 'text', variable: 'AWS_SSH_USER' },
  'amazonec2-ssh-keypath': { kind: 'text', variable: 'AWS_SSH_KEYPATH' },
  'amazonec2-keypair-name': { kind: 'text', variable: 'AWS_KEYPAIR_NAME' },
  'amazonec2-request-spot-instance': { kind: 'switch' },
  'amazonec2-spot-price': { kind: 'text' },
  'amazonec2-block-duration-minutes': {
    kind: 'whole',
    idle: 'EC2 no longer offers spot instances for a fixed time (defined duration)',
  },
  'amazonec2-private-address-only': { kind: 'switch' },
  'amazonec2-use-private-address': { kind: 'switch' },
  'amazonec2-monitoring': { kind: 'switch' },
  'amazonec2-use-ebs-optimized-instance': { kind: 'switch' },
  'amazonec2-metadata-token': { kind: 'text' },
  'amazonec2-metadata-token-response-hop-limit': { kind: 'whole' },
  'amazonec2-endpoint': { kind: 'text', variable: 'AWS_ENDPOINT' },
  'amazonec2-insecure-transport': { kind: 'switch', variable: 'AWS_INSECURE_TRANSPORT' },
  'amazonec2-userdata': { kind: 'text', variable: 'AWS_USERDATA' },
  'amazonec2-retries': { kind: 'whole', idle: 'hostler repeats EC2 calls by its own rules' },
  'amazonec2-use-fleet': { kind: 'switch' },
  'amazonec2-launch-template': { kind: 'text' },
  'engine-install-url': { kind: 'text', variable: 'MACHINE_DOCKER_INSTALL_URL' },
  'engine-registry-mirror': { kind: 'list', variable: 'ENGINE_REGISTRY_MIRROR' },
  'engine-insecure-registry': { kind: 'list' },
  'engine-opt': { kind: 'list' },
  'engine-env': { kind: 'list' },
  'engine-label': { kind: 'list' },
  'engine-storage-driver': { kind: 'text' },
  'tls-san': { kind: 'list' },
  swarm: swarmSwitch,
  'swarm-master': swarmSwitch,
  'swarm-experimental': swarmSwitch,
  'swarm-image': swarm,
  'swarm-discovery': swarm,
  'swarm-addr': swarm,
  'swarm-host': swarm,
  'swarm-strategy': swarm,
  'swarm-opt': { ...swarm, kind: 'list' },
  'swarm-join-opt': { ...swarm, kind: 'list' },
};

/** All names, for hints. */
export const optionNames: readonly string[] = Object.keys(optionTable);
