// What `docker-machine create` says instead of creating: its help, and drivers that hostler does not serve.
// Loaded only when needed, so that create itself stays small.
import { createFlags } from './create-flags.cjs';

/** Prints and returns the exit code. */
export function explainCreate(help: boolean, driver: string): number {
  const kinds = createFlags(driver) ?? createFlags('amazonec2');
  if (help && kinds) {
    const lines = [...kinds]
      .filter(([name]) => name !== 'd')
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(
        ([name, kind]) =>
          `   --${name}${kind === 'switch' ? '' : ` ${kind}`}${kind === 'list' ? ' (repeatable)' : ''}\n`,
      );
    process.stdout.write(
      `Usage: docker-machine create [OPTIONS] [arg...]\n\nLease a machine from its pool\n\n` +
        `What a machine is like is the pool's matter: the options only help to find the pool.\n\nOptions:\n\n${lines.join('')}`,
    );
    return 0;
  }
  process.stderr.write(
    `Driver ${JSON.stringify(driver)} not found. hostler serves amazonec2, and none for hosts that nobody manages.\n`,
  );
  return 1;
}
