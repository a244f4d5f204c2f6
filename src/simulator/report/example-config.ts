// The runner's file that is simulated when none is named: one pool of on-demand machines with office hours and a nightly batch,
// fit for the workload `week`. The runner's own values are the cheapest for docker+machine, hostler's tables the cheapest for
// hostler, both with p95 within 15 s; docs/simulate.md has the sweeps.
// Trap: it is read like any file of a user; times are UTC, as the model week's are. Both lists of sections have the same
// order, so that `--set autoscaling.0.…` means one section.
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
    IdleCount = 2
    IdleTime = 600
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
      IdleCount = 5
      IdleTime = 600
      Timezone = "UTC"
    [[runners.machine.autoscaling]]
      Periods = ["* 58-59 1 * * * *", "* 0-1 2 * * * *"]
      IdleCount = 30
      IdleTime = 60
      Timezone = "UTC"
  [runners.hostler]
    idle_count = 60
    idle_count_min = 1
    idle_scale_factor = 0.01
    idle_time = "2m"
    [[runners.hostler.autoscaling]]
      periods = ["* * 6-18 * * mon-fri *"]
      idle_count = 60
      idle_count_min = 1
      idle_scale_factor = 0.01
      idle_time = "2m"
      timezone = "UTC"
    [[runners.hostler.autoscaling]]
      periods = ["* 0-1 2 * * * *"]
      idle_count = 60
      idle_count_min = 25
      idle_scale_factor = 0.01
      idle_time = "1m"
      timezone = "UTC"
    [runners.hostler.queue]
      token = "glpat-simulated"
      lookahead = true
      forecast = true
      forecast_share = 0.5
`;

/** The example as hostler reads it. */
export function readExample(): Promise<Config> {
  return configOf(EXAMPLE_CONFIG);
}
