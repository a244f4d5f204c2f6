// The effective values of create options for `hostler config`: what will be launched, and where each value came from.
// Trap: secrets are replaced here; nothing after this point hides anything.
import type { ConfigValue, HostSpec, LaunchSpec } from '../../domain/config.ts';
import type { MachineOptions } from './machine-options.ts';
import type { Reading } from './reading.ts';

function valuesOf(launch: LaunchSpec, host: HostSpec): Record<string, ConfigValue['value']> {
  const { credentials } = launch.site;
  const isStatic = credentials.kind === 'static';
  return {
    'amazonec2-access-key': isStatic ? '[secret]' : null,
    'amazonec2-secret-key': isStatic ? '[secret]' : null,
    'amazonec2-session-token': isStatic && credentials.sessionToken ? '[secret]' : null,
    'amazonec2-region': launch.site.region,
    'amazonec2-endpoint': launch.site.endpoint,
    'amazonec2-ami': launch.ami,
    'amazonec2-vpc-id': launch.vpcId,
    'amazonec2-zone': launch.zone,
    'amazonec2-subnet-id': launch.subnetId,
    'amazonec2-security-group': launch.securityGroups,
    'amazonec2-security-group-readonly': launch.securityGroupReadonly,
    'amazonec2-open-port': launch.openPorts,
    'amazonec2-tags': Object.entries(launch.tags).map(([key, value]) => `${key}=${value}`),
    'amazonec2-instance-type': launch.instanceType,
    'amazonec2-request-spot-instance': launch.market === 'spot',
    'amazonec2-spot-price': launch.maxPriceUsd,
    'amazonec2-device-name': launch.deviceName,
    'amazonec2-root-size': launch.rootSizeGb,
    'amazonec2-volume-type': launch.volumeType,
    'amazonec2-volume-encrypted': launch.volumeEncrypted,
    'amazonec2-volume-kms-key': launch.volumeKmsKey,
    'amazonec2-iam-instance-profile': launch.iamInstanceProfile,
    'amazonec2-keypair-name': launch.keypairName,
    'amazonec2-monitoring': launch.monitoring,
    'amazonec2-use-ebs-optimized-instance': launch.ebsOptimized,
    'amazonec2-private-address-only': launch.privateAddressOnly,
    'amazonec2-use-private-address': launch.usePrivateAddress,
    'amazonec2-metadata-token': launch.metadataTokens,
    'amazonec2-metadata-token-response-hop-limit': launch.metadataHopLimit,
    'amazonec2-ssh-user': host.sshUser,
    'amazonec2-ssh-port': host.sshPort,
    'amazonec2-ssh-keypath': host.sshKeyPath,
    'engine-install-url': host.engineInstallUrl,
    'engine-opt': host.engineOptions,
    // Proxies in here may carry a password.
    'engine-env': host.engineEnv.map((line) => `${line.split('=')[0] ?? ''}=[hidden]`),
    'engine-label': host.engineLabels,
    'engine-registry-mirror': host.engineRegistryMirrors,
    'engine-insecure-registry': host.engineInsecureRegistries,
    'engine-storage-driver': host.engineStorageDriver,
    'tls-san': host.tlsSans,
  };
}

/** Notes every create option of a pool with its origin. */
export function recordOptions(
  reading: Reading,
  pool: string,
  options: MachineOptions,
  spec: { launch: LaunchSpec; host: HostSpec },
): void {
  const values = {
    ...valuesOf(spec.launch, spec.host),
    'amazonec2-userdata': options.text('amazonec2-userdata'),
  };
  for (const [name, value] of Object.entries(values)) {
    const isGiven = options.isGiven(name);
    reading.values.push({
      key: `pools.${pool}.${name}`,
      value,
      origin: isGiven ? options.origin(name) : 'default',
      where: isGiven ? options.spot(name).where : null,
    });
  }
}
