// `docker-machine version [NAME]`: this program's version, or that of a machine's Docker.
import { urlOf } from './answers.ts';
import { dockerGet } from './docker-get.cjs';
import { Refusal, soleMachine, type VerbAction } from './door-io.ts';
import { VERSION } from './verbs.ts';

/** ms; a host that runs answers in some milliseconds. */
const LIMIT_MS = 5_000;

export const version: VerbAction = async (call) => {
  if (call.given.names.length === 0) {
    call.io.out(`docker-machine version ${VERSION}\n`);
    return 0;
  }
  const machine = soleMachine(call);
  const { text, why } = await dockerGet({
    url: urlOf(machine),
    folder: machine.folder,
    path: '/version',
    limitMs: LIMIT_MS,
  });
  const found = why === null ? /"Version":\s*"([^"]+)"/.exec(text)?.[1] : undefined;
  if (!found) throw new Refusal(`Unable to query docker version: ${why ?? 'the answer names none'}`);
  call.io.out(`${found}\n`);
  return 0;
};
