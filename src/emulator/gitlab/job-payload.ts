// What GitLab hands to a runner with a job: the script, its image, and what a runner needs to know around it.
// Trap: there is no repository behind this GitLab, so jobs say GIT_STRATEGY none; a runner that fetched would fail them all.
import type { Job, Project } from '../../sim/gitlab/job.ts';

/** Where the job's pipeline stands, and who may speak for it. */
export type PayloadPlace = { project: Project; url: string; token: string };

const NO_COMMIT = '0'.repeat(40);

/** The commands of a job: its own, or a sleep as long as it was to run. */
function scriptOf({ id, spec, durationMs }: Job): readonly string[] {
  if (spec.script !== undefined) return spec.script;
  const end = spec.outcome === 'failed' ? ['exit 1'] : [];
  return [`echo "job ${id} of an emulated GitLab"`, `sleep ${durationMs / 1_000}`, ...end];
}

function variablesOf(job: Job, { project, url, token }: PayloadPlace): Readonly<Record<string, string>> {
  return {
    CI: 'true',
    GITLAB_CI: 'true',
    CI_SERVER: 'yes',
    CI_SERVER_URL: url,
    CI_API_V4_URL: `${url}/api/v4`,
    CI_JOB_ID: String(job.id),
    CI_JOB_NAME: job.name,
    CI_JOB_STAGE: job.stageName,
    CI_JOB_TOKEN: token,
    CI_JOB_URL: `${url}/${project.path}/-/jobs/${job.id}`,
    CI_PIPELINE_ID: String(job.pipeline),
    CI_PROJECT_ID: String(project.id),
    CI_PROJECT_NAME: project.name,
    CI_PROJECT_PATH: project.path,
    CI_PROJECT_URL: `${url}/${project.path}`,
    CI_COMMIT_REF_NAME: job.ref,
    CI_COMMIT_SHA: NO_COMMIT,
    GIT_STRATEGY: 'none',
    ...job.spec.variables,
  };
}

/** The answer to `POST /jobs/request`. `queueSize`: jobs that fitted the runner, this one included. */
export function jobPayload(job: Job, place: PayloadPlace, queueSize: number): Record<string, unknown> {
  const { project, url, token } = place;
  const timeout = Math.ceil(job.timeoutMs / 1_000);
  const { image } = job.spec;
  return {
    id: job.id,
    token,
    allow_git_fetch: true,
    job_info: {
      id: job.id,
      name: job.name,
      stage: job.stageName,
      pipeline_id: job.pipeline,
      project_id: project.id,
      project_name: project.name,
      project_full_path: project.path,
      queue_size: queueSize,
      // Nobody takes a job between look and gift here.
      queue_depth: 1,
    },
    git_info: {
      repo_url: `${url}/${project.path}.git`,
      ref: job.ref,
      sha: NO_COMMIT,
      before_sha: NO_COMMIT,
      ref_type: job.refIsTag ? 'tag' : 'branch',
      refspecs: [],
      depth: 20,
    },
    runner_info: { timeout, runner_session_url: null },
    variables: Object.entries(variablesOf(job, place)).map(([key, value]) => ({
      key,
      value,
      public: key !== 'CI_JOB_TOKEN',
      masked: key === 'CI_JOB_TOKEN',
      file: false,
    })),
    steps: [{ name: 'script', script: scriptOf(job), timeout, when: 'on_success', allow_failure: false }],
    image: image === undefined ? null : { name: image },
    services: [],
    artifacts: [],
    cache: [],
    credentials: [],
    dependencies: [],
    features: { trace_sections: true, failure_reasons: [] },
  };
}
