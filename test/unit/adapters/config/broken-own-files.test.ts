// Files of ours that are wrong in one way each, files that cannot be read, and files wrong in several ways.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../../../src/adapters/config/load.ts';
import { createConfigFolder, plainOptions, runnerText } from '../../../support/config-folder.ts';

const folder = createConfigFolder();
afterAll(() => folder.end());

const option = (...more: string[]): string => runnerText({ options: [...plainOptions, ...more] });
describe('a wrong table of ours gives one line with place, key and cure', () => {
  const ours = (text: string): string => {
    folder.write('runner.toml', runnerText());
    return folder.write('h.toml', `[hostler]\nrunner_config = "runner.toml"\n${text}`);
  };

  test.each<[string, string, RegExp]>([
    [
      'a misspelt key',
      'log_levl = "info"\n',
      /^h\.toml:3:1: hostler\.log_levl: unknown key log_levl; did you mean log_level\?$/,
    ],
    ['a key of the runner', 'IdleCount = 3\n', /unknown key IdleCount$/],
    [
      'a wrong level',
      'log_level = "loud"\n',
      /^h\.toml:3:13: hostler\.log_level: must be one of trace, debug, info, warn, error, is "loud"$/,
    ],
    [
      'an address without port',
      'listen_address = "9252"\n',
      /must be HOST:PORT or :PORT, such as ":9252", is "9252"/,
    ],
    ['a port beyond all', 'listen_address = ":99999"\n', /must end in a port up to 65535/],
    ['a switch as text', 'takeover = "yes"\n', /hostler\.takeover: must be true or false, is "yes"/],
    [
      'a role that is no ARN',
      'assume_role_arn = "runner"\n',
      /must be an ARN such as "arn:aws:iam::123456789012:role\/NAME"/,
    ],
    [
      'a variable that is not set',
      'owner = "${NOT_SET_HERE}"\n',
      /^h\.toml:3:9: hostler\.owner: \$\{NOT_SET_HERE\} is not set in the environment$/,
    ],
    ['too many machines', 'max_machines = 99999999\n', /must be a whole number from 0 to 1000000/],
    [
      'a table at the top that is not ours',
      '[metrics]\nx = 1\n',
      /^h\.toml:3:2: metrics: unknown key metrics at the top of hostler's file$/,
    ],
    ['a key that belongs below [hostler]', '[pools_x]\n[socket]\n', /unknown key/],
    [
      'a pool that is not there',
      '[[pools]]\nname = "biuld"\n',
      /^h\.toml:3:3: name: no docker\+machine section of runner\.toml is named "biuld" \(there is "build"\); did you mean build\?$/,
    ],
    [
      'a pool without name',
      '[[pools]]\nidle_count = 1\n',
      /^h\.toml:3:3: pools\[0\]\.name: needs the name of the \[\[runners\]\] section/,
    ],
    ['pools as a table', '[pools]\nname = "build"\n', /must be an array of tables: write \[\[pools\]\]/],
    [
      'a misspelt key of a pool',
      '[[pools]]\nname = "build"\nidle_cuont = 3\n',
      /^h\.toml:5:1: pools\[0\]\.idle_cuont: unknown key idle_cuont; did you mean idle_count\?$/,
    ],
    [
      'a pool twice',
      '[[pools]]\nname = "build"\n[[pools]]\nname = "build"\n',
      /^h\.toml:5:3: name: a table for "build" stands already at h\.toml:3:3$/,
    ],
    [
      'a length of time that is none',
      '[[pools]]\nname = "build"\nidle_time = "ten minutes"\n',
      /^h\.toml:5:13: pools\[0\]\.idle_time: must be a length of time: .* is "ten minutes"$/,
    ],
    [
      'a wait beyond the runner’s patience',
      '[[pools]]\nname = "build"\ncreate_wait = "2h"\n',
      /create_wait: must be at most 3540 s, is "2h"/,
    ],
    [
      'a pool’s name with spaces',
      '[[pools]]\nname = "build"\npool = "My Pool"\n',
      /must be lower-case letters, digits and dashes/,
    ],
    [
      'images as one text',
      '[[pools]]\nname = "build"\nprepull = "alpine"\n',
      /prepull: must be a list of image names, is "alpine"/,
    ],
    [
      'a period of ours with a wrong hour',
      '[[pools]]\nname = "build"\n[[pools.autoscaling]]\nperiods = ["* * 24 * * * *"]\ntimezone = "UTC"\n',
      /^h\.toml:6:12: pools\[0\]\.autoscaling\[0\]\.periods\[0\]: period "\* \* 24 \* \* \* \*": hour: 24 is not within 0 to 23$/,
    ],
    [
      'a misspelt key of a period',
      '[[pools]]\nname = "build"\n[[pools.autoscaling]]\nperiods = ["* * 9 * * * *"]\ntimezon = "UTC"\n',
      /autoscaling\[0\]\.timezon: unknown key timezon; did you mean timezone\?$/,
    ],
    [
      'our table under a runner without [[ ]]',
      '[runners.hostler]\nidle_count = 1\n',
      /write \[\[runners\]\] above \[runners\.hostler\]/,
    ],
  ])('%s', async (_, text, line) => {
    const said = await folder.refused(ours(text));
    expect(said.line).toMatch(line);
    expect(said.line).not.toContain('\n');
    expect(said.code).toBe('config-invalid');
  });
});

describe('files that cannot be read', () => {
  test('a missing one is named', async () => {
    const said = await folder.refused(join(folder.path, 'none.toml'));
    expect(said).toEqual({
      code: 'config-unreadable',
      line: 'none.toml: the configuration none.toml cannot be read: no such file',
    });
  });

  test('a missing runner’s file is named, not ours', async () => {
    const path = folder.write('h2.toml', '[hostler]\nrunner_config = "gone.toml"\n');
    expect(await folder.refused(path)).toMatchObject({
      code: 'config-unreadable',
      line: expect.stringMatching(/^gone\.toml: /),
    });
  });

  test('a folder is no file', async () => {
    expect(await folder.refused(folder.path)).toMatchObject({
      code: 'config-unreadable',
      line: expect.stringMatching(/is not a file/),
    });
  });

  test('a file far too large is not read', async () => {
    const path = folder.write('large.toml', `# ${'x'.repeat(1_100_000)}\n`);
    expect(await folder.refused(path)).toMatchObject({
      code: 'config-unreadable',
      line: expect.stringMatching(/more than 1048576/),
    });
  });

  test.skipIf(process.getuid?.() === 0)('a file without the right to read it says so', async () => {
    const path = folder.write('locked.toml', runnerText());
    chmodSync(path, 0o000);
    expect(await folder.refused(path)).toMatchObject({ line: expect.stringMatching(/permission denied/) });
  });

  test('user data beyond 16 KB even when compressed is refused, a compressible one is taken', async () => {
    mkdirSync(join(folder.path, 'ud'), { recursive: true });
    const noise = Array.from({ length: 3_000 }, (_, index) => Math.sin(index).toString(36)).join('\n');
    writeFileSync(join(folder.path, 'ud/large.sh'), noise);
    writeFileSync(join(folder.path, 'ud/long.sh'), `#!/bin/sh\n${'echo again\n'.repeat(5_000)}`);
    const large = await folder.refused(folder.write('r.toml', option('amazonec2-userdata=ud/large.sh')));
    expect(large.line).toMatch(/names a file of \d+ bytes after compression; EC2 takes 16384/);
    const { config } = await readConfig({
      path: folder.write('r.toml', option('amazonec2-userdata=ud/long.sh')),
      env: {},
    });
    expect(config?.pools[0]?.launch.userData).toHaveLength(Math.ceil((10 + 55_000) / 3) * 4);
    expect(config?.files).toContain(join(folder.path, 'ud/long.sh'));
  });

  test('a key that is none is refused', async () => {
    const key = folder.write('key', 'not a key\n');
    const said = await folder.refused(folder.write('r.toml', option(`amazonec2-ssh-keypath=${key}`)));
    expect(said.line).toMatch(/amazonec2-ssh-keypath names key, which holds no private key/);
  });
});

describe('many findings', () => {
  test('come in one pass, errors first, and the refusal counts them', async () => {
    const path = folder.write(
      'r.toml',
      option('amazonec2-root-size=x', 'amazonec2-ami=x', 'amazonec2-bogus=1'),
    );
    const { config, issues } = await readConfig({ path, env: { HOME: '/nowhere' } });
    expect(config).toBeNull();
    expect(issues.map(({ severity }) => severity)).toEqual(['error', 'error', 'warning']);
    expect((await folder.refused(path)).line).toMatch(/\(and 1 more: hostler check lists them\)$/);
  });

  test('never show a secret', async () => {
    const path = folder.write(
      'r.toml',
      option(
        'amazonec2-access-key=AKIASECRETID',
        'amazonec2-secret-key=',
        'amazonec2-session-token=tokensecret',
      ).replace('"glrt-abcdefghijklmno"', '["glrt-tokensecret"]'),
    );
    const { issues } = await readConfig({ path, env: {} });
    expect(issues.length).toBeGreaterThan(1);
    expect(JSON.stringify(issues)).not.toMatch(/SECRETID|tokensecret/);
  });
});
