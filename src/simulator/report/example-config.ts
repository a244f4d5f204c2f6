// The runner's file that is simulated when none is named: one pool of on-demand machines with office hours and a nightly batch,
// fit for the workload `week`. Documented in docs/simulate.md with the settings that sweeps found.
// Trap: it is read like any file of a user; times are UTC, as the model week's are.
import type { Config } from '../../domain/config.ts';
import { configOf } from '../run/config-of.ts';

const EXAMPLE_CONFIG = `concurrent = 200
check_interval = 3

[[runners]]
  name = "example"
  url = "https://gitlab.example.com"
  token = "glrt-example0000000000"
  executor = "docker+machine"
  limit = 200
  [runners.docker]
    image = "alpine"
  [runners.machine]
    IdleCount = 4
    IdleTime = 60
    MaxBuilds = 100
    MachineDriver = "amazonec2"
    MachineName = "ci-%s"
    MachineOptions = [
      "amazonec2-region=eu-central-1",
      "amazonec2-zone=a",
      "amazonec2-instance-type=m6i.large",
      "amazonec2-use-private-address=true",
    ]
    [[runners.machine.autoscaling]]
      Periods = ["* * 6-18 * * mon-fri *"]
      IdleCount = 22
      IdleTime = 60
      Timezone = "UTC"
    [[runners.machine.autoscaling]]
      Periods = ["* 58-59 1 * * * *", "* 0-1 2 * * * *"]
      IdleCount = 72
      IdleTime = 60
      Timezone = "UTC"
`;

/** The example as hostler reads it. */
export function readExample(): Promise<Config> {
  return configOf(EXAMPLE_CONFIG);
}
