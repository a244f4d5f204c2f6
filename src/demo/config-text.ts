// The two files of the demo's installation: the runner's config.toml as an operator of docker-machine has it, and
// hostler's own beside it. Text only; `site.ts` writes them.
// Trap: the machine options reach `docker-machine create` too, so there is one list for both.
import { SECOND_MS } from '../domain/units.ts';
import type { RunnerPolicy } from './policy.ts';

/** Who holds the idle machines: hostler (the runner creates on demand), or the runner as it always did. */
export type DemoWay = 'on-demand' | 'standing';

/** The runner's identity in the demo; a made-up token, so that machine names look as they do in production. */
export const demoRunner = {
  name: 'hostler-demo',
  token: 'glrt-demo0000000000000000',
  machineName: 'gitlab-docker-machine-%s',
} as const;

/** MachineOptions: those of an ordinary spot fleet, pointed at the emulated cloud. */
export function machineOptions(cloud: { endpoint: string; sshPort: number }): readonly string[] {
  return [
    'amazonec2-access-key=AKIADEMO',
    'amazonec2-secret-key=demo',
    'amazonec2-region=eu-central-1',
    'amazonec2-vpc-id=vpc-0d3e0d3e',
    'amazonec2-subnet-id=subnet-0d3e0d3e',
    'amazonec2-use-private-address=true',
    'amazonec2-tags=runner-manager-name,hostler-demo,gitlab,true',
    'amazonec2-security-group=runner-hosts',
    'amazonec2-instance-type=m5.large',
    'amazonec2-ami=ami-0d3e0d3e0d3e0d3e0',
    'amazonec2-request-spot-instance=true',
    'amazonec2-spot-price=',
    `amazonec2-endpoint=${cloud.endpoint}`,
    `amazonec2-ssh-port=${cloud.sshPort}`,
  ];
}

/** A period that always holds, so that the demo is the same at every hour. */
function alwaysText(policy: RunnerPolicy): string {
  return `    [[runners.machine.autoscaling]]
      Periods = ["* * * * * * *"]
      IdleCount = ${policy.idleCount}
      IdleTime = ${policy.idleTimeMs / SECOND_MS}
      Timezone = "UTC"
`;
}

/** The runner's file. A runner on demand has no idle machines and no periods: hostler keeps them. */
export function runnerConfigText(policy: RunnerPolicy, options: readonly string[]): string {
  const listed = options.map((option) => `      ${JSON.stringify(option)},`).join('\n');
  const periods = policy.idleCount > 0 ? alwaysText(policy) : '';
  return `concurrent = ${policy.concurrent}
check_interval = 0

[[runners]]
  name = "${demoRunner.name}"
  url = "https://gitlab.example.com"
  token = "${demoRunner.token}"
  executor = "docker+machine"
  limit = ${policy.limit}
  [runners.docker]
    image = "alpine"
  [runners.machine]
    IdleCount = 0
    IdleTime = ${policy.idleTimeMs / SECOND_MS}
    MaxBuilds = ${policy.maxBuilds}
    MachineDriver = "amazonec2"
    MachineName = "${demoRunner.machineName}"
    MachineOptions = [
${listed}
    ]
${periods}`;
}

/** hostler's file. `idle`: what hostler keeps ready by itself, which a runner on demand does not ask for. */
export function hostlerConfigText(place: { runnerConfig: string; way: DemoWay; idle: number }): string {
  const pool =
    place.way === 'on-demand' ? `\n[[pools]]\nname = "${demoRunner.name}"\nidle_count = ${place.idle}\n` : '';
  return `[hostler]\nrunner_config = ${JSON.stringify(place.runnerConfig)}\n${pool}`;
}
