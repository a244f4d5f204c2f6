// The stand-in runner as a process of its own, so that signals reach it and its docker-machine calls as they reach
// gitlab-runner's. Options come as a file, commands as lines on stdin, what happens goes out as lines of JSON.
// Trap: at its exit it leaves whatever still runs; that is what the tests look at.
import { readFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { JobOrder } from '../../src/demo/docker-job.ts';
import { createStandInRunner, type StandInRunnerOptions } from '../../src/demo/runner.ts';
import type { RunnerSignal } from '../../src/sim/runner/lifecycle-rules.ts';

export type Command = { queue: readonly JobOrder[] } | { cancel: string };

const STDOUT = 1;
const options = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as StandInRunnerOptions;

function tell(line: object): void {
  try {
    writeSync(STDOUT, `${JSON.stringify(line)}\n`);
  } catch {
    // The test that listened is gone.
  }
}

const runner = createStandInRunner({
  ...options,
  onEvent: (event) => {
    if (event.kind === 'job' || event.kind === 'call') tell(event);
  },
});

/** It exits at once, whatever its calls do. */
function leave(signal: RunnerSignal): void {
  void runner.shutdown(signal).then((code) => process.exit(code));
}
process.on('SIGTERM', () => leave('TERM'));
process.on('SIGQUIT', () => leave('QUIT'));

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line) as Command;
  if ('queue' in command) runner.queue(command.queue);
  else runner.cancel(command.cancel);
});
runner.start();
