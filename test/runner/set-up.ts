// Once before and after the tests with a real gitlab-runner: they want its path and Docker hosts that boot. Where one is
// missing, one line says so and every test is skipped.
import { accessSync, constants } from 'node:fs';
import type { TestProject } from 'vitest/node';
import setUpHosts from '../hosts/set-up.ts';

declare module 'vitest' {
  // oxlint-disable-next-line typescript/consistent-type-definitions -- merged with vitest's own
  export interface ProvidedContext {
    /** Path of a gitlab-runner; null where there is none. */
    gitlabRunner: string | null;
  }
}

const VARIABLE = 'HOSTLER_GITLAB_RUNNER';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const path = process.env[VARIABLE] ?? '';
  if (path === '') {
    process.stderr.write(`test:runner: skipped: ${VARIABLE} names no gitlab-runner binary\n`);
    project.provide('gitlabRunner', null);
    project.provide('dockerSocket', null);
    return async () => {};
  }
  accessSync(path, constants.X_OK);
  project.provide('gitlabRunner', path);
  return setUpHosts(project);
}
