// Runner's files that are wrong in one way each: one line that names the place and what would be right.
import { afterAll, describe, expect, test } from 'vitest';
import { createConfigFolder, plainOptions, runnerText, sectionText } from '../../../support/config-folder.ts';

const folder = createConfigFolder();
afterAll(() => folder.end());

const option = (...more: string[]): string => runnerText({ options: [...plainOptions, ...more] });
const period = (lines: string): string =>
  runnerText({ after: `    [[runners.machine.autoscaling]]\n      ${lines.replaceAll('\n', '\n      ')}\n` });

describe('a wrong runner’s file gives one line with place, key and cure', () => {
  test.each<[string, string, string, RegExp]>([
    [
      'a value without quotes',
      'concurrent = 5\n[[runners]]\n  token = $${X}\n',
      'config-syntax',
      /^r\.toml:3:11: TOML syntax: invalid value$/,
    ],
    [
      'a table header that is not closed',
      '[[runners]\n',
      'config-syntax',
      /^r\.toml:1:11: TOML syntax: expected end of table array/,
    ],
    [
      'a text that is not closed',
      'name = "x\n',
      'config-syntax',
      /^r\.toml:1:\d+: TOML syntax: control characters/,
    ],
    [
      'a key twice',
      'concurrent = 1\nconcurrent = 2\n',
      'config-syntax',
      /^r\.toml:2:1: TOML syntax: trying to redefine/,
    ],
    [
      'an empty file, as the runner leaves one while it writes',
      '',
      'config-no-pools',
      /^r\.toml: no \[\[runners\]\] section .* found no/,
    ],
    ['half of a file', 'concurrent = 10\n', 'config-no-pools', /^r\.toml: no \[\[runners\]\] section/],
    [
      'no docker+machine section',
      sectionText({ executor: 'shell' }),
      'config-no-pools',
      /found only "shell"/,
    ],
    [
      'a misspelt executor',
      sectionText({ executor: 'docker-machine' }),
      'config-no-pools',
      /did you mean docker\+machine\?/,
    ],
    [
      'a table where sections belong',
      '[runners]\nname = "x"\nexecutor = "docker+machine"\n',
      'config-invalid',
      /^r\.toml:1:2: runners: must be an array of tables: write \[\[runners\]\]/,
    ],
    [
      'concurrent as text',
      `concurrent = "10"\n${sectionText()}`,
      'config-invalid',
      /^r\.toml:1:14: concurrent: must be a whole number, is "10"$/,
    ],
    [
      'a negative limit',
      sectionText({ limit: -1 }),
      'config-invalid',
      /^r\.toml:5:11: runners\[0\]\.limit: must not be negative, is -1$/,
    ],
    [
      'IdleCount as a fraction',
      runnerText({ machine: 'IdleCount = 1.5' }),
      'config-invalid',
      /^r\.toml:11:17: runners\[0\]\.machine\.IdleCount: must be a whole number, is 1\.5$/,
    ],
    [
      'IdleTime as text',
      runnerText({ machine: 'IdleTime = "30m"' }),
      'config-invalid',
      /IdleTime: must be a whole number, is "30m"$/,
    ],
    [
      'a negative factor',
      runnerText({ machine: 'IdleScaleFactor = -0.5' }),
      'config-invalid',
      /IdleScaleFactor: must not be negative/,
    ],
    [
      'options that are not texts',
      runnerText().replace('"amazonec2-region=eu-central-1"', '7'),
      'config-invalid',
      /^r\.toml:15:5: runners\[0\]\.machine\.MachineOptions\[0\]: must be text in quotes, is 7$/,
    ],
    [
      'options as one text',
      runnerText().replace(/MachineOptions = \[[^\]]*\]/, 'MachineOptions = "x"'),
      'config-invalid',
      /MachineOptions: must be a list of texts in quotes, is "x"/,
    ],
    [
      'no machine table',
      '[[runners]]\nexecutor = "docker+machine"\ntoken = "t"\n',
      'config-invalid',
      /^r\.toml:1:3: runners\[0\]\.machine: is missing: the runner needs a \[runners\.machine\] table/,
    ],
    [
      'no %s in MachineName',
      runnerText().replace('ci-%s', 'ci'),
      'config-invalid',
      /MachineName: MachineName must hold %s, such as "gitlab-docker-machine-%s", is "ci"/,
    ],
    [
      'another driver',
      runnerText().replace('"amazonec2"', '"amazonec"'),
      'config-invalid',
      /MachineDriver must be "amazonec2", is "amazonec"; did you mean amazonec2\?/,
    ],
    [
      'periods as a table',
      runnerText({ after: '    [runners.machine.autoscaling]\n      IdleCount = 1\n' }),
      'config-invalid',
      /autoscaling: must be an array of tables: write \[\[runners\.machine\.autoscaling\]\]/,
    ],
    [
      'an hour that does not exist',
      period('Periods = ["* * 25 * * * *"]\nTimezone = "UTC"'),
      'config-invalid',
      /^r\.toml:\d+:18: runners\[0\]\.machine\.autoscaling\[0\]\.Periods\[0\]: period "\* \* 25 \* \* \* \*": hour: 25 is not within 0 to 23$/,
    ],
    [
      'hours that run backwards',
      period('Periods = ["* * 22-6 * * * *"]\nTimezone = "UTC"'),
      'config-invalid',
      /write 22-23,0-6$/,
    ],
    [
      'seconds first in six fields',
      period('Periods = ["* * 9-17 * * mon-fri"]\nTimezone = "UTC"'),
      'config-invalid',
      /add " \*" as the seventh$/,
    ],
    [
      'too few fields',
      period('Periods = ["* 9-17"]\nTimezone = "UTC"'),
      'config-invalid',
      /has 2 of seven fields/,
    ],
    [
      'an unknown zone',
      period('Periods = ["* * 9 * * * *"]\nTimezone = "Asia/Tokio"'),
      'config-invalid',
      /^r\.toml:\d+:18: runners\[0\]\.machine\.autoscaling\[0\]\.Timezone: unknown time zone "Asia\/Tokio", on which the runner stops; did you mean Asia\/Tokyo\?$/,
    ],
    [
      'an option with dashes',
      option('--amazonec2-root-size=20'),
      'config-invalid',
      /^r\.toml:18:5: runners\[0\]\.machine\.MachineOptions\[3\]: write the option without dashes/,
    ],
    [
      'an option without value',
      option('amazonec2-ami'),
      'config-invalid',
      /needs a value: "amazonec2-ami=…"/,
    ],
    [
      'a switch that is neither',
      option('amazonec2-use-private-address=yes'),
      'config-invalid',
      /must be true or false, is "yes"/,
    ],
    [
      'a size that is no number',
      option('amazonec2-root-size=20G'),
      'config-invalid',
      /amazonec2-root-size must be a whole number from 1 to 65536, is "20G"/,
    ],
    [
      'a port out of range',
      option('amazonec2-ssh-port=70000'),
      'config-invalid',
      /amazonec2-ssh-port must be a whole number from 1 to 65535/,
    ],
    [
      'a region that is none',
      option('amazonec2-region=eu-central'),
      'config-invalid',
      /amazonec2-region "eu-central" is no region; did you mean eu-central-1\?/,
    ],
    [
      'a zone with the region’s name',
      option('amazonec2-zone=1b'),
      'config-invalid',
      /amazonec2-zone must be one letter, is "1b"/,
    ],
    [
      'an image that is none',
      option('amazonec2-ami=ubuntu'),
      'config-invalid',
      /amazonec2-ami must be an id such as ami-0123456789abcdef0, or resolve:ssm:NAME, is "ubuntu"/,
    ],
    [
      'a list of types',
      option('amazonec2-instance-type=m5.large,m5.xlarge').replace(/.*instance-type=m5.large",\n/, ''),
      'config-invalid',
      /amazonec2-instance-type must be one type such as m5\.large/,
    ],
    [
      'a VPC by name',
      option('amazonec2-vpc-id=main'),
      'config-invalid',
      /amazonec2-vpc-id must be an id such as vpc-/,
    ],
    [
      'a price that is none',
      option('amazonec2-request-spot-instance=true', 'amazonec2-spot-price=cheap'),
      'config-invalid',
      /must be a price in USD of at least 0\.001, or empty for none, is "cheap"/,
    ],
    [
      'a price of nothing',
      option('amazonec2-request-spot-instance=true', 'amazonec2-spot-price=0'),
      'config-invalid',
      /or empty for none, is "0"/,
    ],
    [
      'half of the credentials',
      option('amazonec2-access-key=AKIAEXAMPLE'),
      'config-invalid',
      /amazonec2-access-key needs amazonec2-secret-key beside it/,
    ],
    [
      'a key pair without its key',
      option('amazonec2-keypair-name=ops'),
      'config-invalid',
      /amazonec2-keypair-name needs amazonec2-ssh-keypath/,
    ],
    [
      'user data that is not there',
      option('amazonec2-userdata=/nowhere/boot.sh'),
      'config-invalid',
      /amazonec2-userdata names a file that is of no use: \/nowhere\/boot\.sh cannot be read: no such file/,
    ],
    [
      'a metadata token that is neither',
      option('amazonec2-metadata-token=maybe'),
      'config-invalid',
      /must be required or optional, is "maybe"/,
    ],
    [
      'an endpoint that is no address',
      option('amazonec2-endpoint=ftp://x'),
      'config-invalid',
      /amazonec2-endpoint must be an address such as https:/,
    ],
    [
      'plain transport without endpoint',
      option('amazonec2-insecure-transport=true'),
      'config-invalid',
      /amazonec2-insecure-transport needs amazonec2-endpoint/,
    ],
    [
      'a tag of AWS',
      option('amazonec2-tags=aws:owner,me'),
      'config-invalid',
      /"aws:owner" is reserved for AWS and hostler/,
    ],
    [
      'a port to open that is none',
      option('amazonec2-open-port=80/icmp'),
      'config-invalid',
      /must be PORT, PORT\/tcp or PORT\/udp, is "80\/icmp"/,
    ],
    [
      'an engine option with dashes',
      option('engine-opt=--log-driver=x'),
      'config-invalid',
      /engine-opt must be a dockerd option without dashes/,
    ],
    [
      'an engine variable without value',
      option('engine-env=HTTP_PROXY'),
      'config-invalid',
      /engine-env must be NAME=VALUE/,
    ],
    [
      'an install address that is none',
      option('engine-install-url=get.docker.com'),
      'config-invalid',
      /engine-install-url must be an http or https address/,
    ],
    [
      'a profile by its ARN',
      option('amazonec2-iam-instance-profile=arn:aws:iam::1:instance-profile/x'),
      'config-invalid',
      /an instance profile's name, not its ARN/,
    ],
  ])('%s', async (_, text, code, line) => {
    const said = await folder.refused(folder.write('r.toml', text));
    expect(said.line).toMatch(line);
    expect(said.code).toBe(code);
    expect(said.line).not.toContain('\n');
  });
});
