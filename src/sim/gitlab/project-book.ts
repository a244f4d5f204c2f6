// GitLab's projects. One comes into being when a job is asked for and there is none.
import type { Project } from './job.ts';

/** GitLab's default time limit of a job. */
const TIMEOUT_MS = 3_600_000;

export type ProjectBook = {
  add(wish?: Partial<Omit<Project, 'id'>>): Project;
  all(): readonly Project[];
  /** Throws a RangeError for an unknown id. */
  find(id: number): Project;
  /** That project, or the first of all. */
  orFirst(id: number | undefined): Project;
};

export function createProjectBook(): ProjectBook {
  const projects = new Map<number, Project>();

  const add = (wish: Partial<Omit<Project, 'id'>> = {}): Project => {
    const id = projects.size + 1;
    const path = wish.path ?? `group/project-${id}`;
    const defaultBranch = wish.defaultBranch ?? 'main';
    const made: Project = {
      id,
      path,
      name: path.split('/').at(-1) ?? path,
      protectedRefs: [defaultBranch],
      instanceRunners: true,
      groupRunners: true,
      jobTimeoutMs: TIMEOUT_MS,
      ...wish,
      defaultBranch,
    };
    projects.set(id, made);
    return made;
  };

  const find = (id: number): Project => {
    const found = projects.get(id);
    if (found === undefined) throw new RangeError(`no project ${id}`);
    return found;
  };

  return {
    add,
    all: () => [...projects.values()],
    find,
    orFirst: (id) => (id === undefined ? (projects.values().next().value ?? add()) : find(id)),
  };
}
