// Whatever stands in a file, reading it ends with a configuration or with errors of one line each, and never throws.
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { readConfig } from '../../../../src/adapters/config/load.ts';
import { createConfigFolder, plainOptions, runnerText } from '../../../support/config-folder.ts';

const folder = createConfigFolder();
afterAll(() => folder.end());

const good = runnerText({
  options: [
    ...plainOptions,
    'amazonec2-tags=a,b,c,d',
    'amazonec2-request-spot-instance=true',
    'amazonec2-spot-price=0.5',
    'engine-opt=log-driver=journald',
    'amazonec2-open-port=80/tcp',
    'amazonec2-secret-key=SECRETVALUE',
    'amazonec2-access-key=AKIAEXAMPLE',
  ],
  after: `    [[runners.machine.autoscaling]]
      Periods = ["* * 9-17 * * mon-fri *", "*/5 9-17/2 * * 1,2"]
      IdleCount = 5
      IdleScaleFactor = 0.5
      Timezone = "Asia/Tokyo"
  [runners.hostler]
    idle_count = 4
    create_wait = "2m"
    autoscaling = [{ periods = ["* * 7 * * * *"], idle_count = 2, timezone = "UTC" }]
[hostler]
log_level = "info"
listen_address = ":9000"
`,
});

const snippets = [
  '"',
  '[',
  ']',
  '=',
  '\n',
  '-',
  ',',
  '/',
  '0',
  '99999999999999999999',
  'x',
  '${X}',
  '{',
  '%s',
  '\u0000',
  'é',
  '1979-05-27',
  'true',
  '[[runners]]\n',
  'inf',
];

/** A change at some place of the good file: something cut out, something put in. */
const change = fc.record({
  at: fc.nat(good.length),
  cut: fc.integer({ min: 0, max: 30 }),
  put: fc.oneof(fc.constantFrom(...snippets), fc.constant('')),
});

test('reading never throws, and every error is one line without a secret', async () => {
  const property = fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
    const text = changes.reduce(
      (old, { at, cut, put }) => old.slice(0, at) + put + old.slice(at + cut),
      good,
    );
    const { config, issues } = await readConfig({
      path: folder.write('any.toml', text),
      env: { HOME: '/h' },
    });
    const errors = issues.filter(({ severity }) => severity === 'error');
    expect(errors.length > 0).toBe(config === null);
    for (const { message } of issues) {
      expect(message).not.toContain('\n');
      if (text.includes('secret-key=SECRETVALUE')) expect(message).not.toContain('SECRETVALUE');
    }
  });
  await fc.assert(property, { numRuns: 200 });
});
