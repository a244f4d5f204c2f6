// What the runner's /metrics say of its jobs and of the queue, and what a stranger's text there comes to.
import { describe, expect, test } from 'vitest';
import { readScrape } from '../../../src/adapters/runner-metrics/runner-scrape.ts';

const text = `
# HELP gitlab_runner_jobs The current number of running builds.
# TYPE gitlab_runner_jobs gauge
gitlab_runner_jobs{executor_stage="docker_run",runner="abc123def",runner_name="aws, \\"big\\"",stage="step_script",state="running"} 3
gitlab_runner_jobs{executor_stage="",runner="abc123def",runner_name="aws",stage="",state="pending"} 2
gitlab_runner_jobs{executor_stage="shell",runner="zzz999",runner_name="shell",stage="",state="running"} 4
gitlab_runner_jobs_total{runner="abc123def",runner_name="aws",system_id="s_1"} 41
gitlab_runner_job_queue_size{runner="abc123def",runner_name="aws",system_id="s_1"} 17
gitlab_runner_job_queue_depth{runner="abc123def",runner_name="aws",system_id="s_1"} 2
gitlab_runner_limit{runner="abc123def",runner_name="aws",system_id="s_1"} 20
gitlab_runner_concurrent 50
process_start_time_seconds 1.7961e+09
`;

describe('the runner’s metrics', () => {
  test('give jobs, jobs taken, the queue’s size and the limits by runner', () => {
    const scrape = readScrape(text);
    expect(Object.fromEntries(scrape.jobs)).toEqual({ abc123def: 5, zzz999: 4 });
    expect(Object.fromEntries(scrape.taken)).toEqual({ abc123def: 41 });
    expect(Object.fromEntries(scrape.queueSize)).toEqual({ abc123def: 17 });
    expect(Object.fromEntries(scrape.queueDepth)).toEqual({ abc123def: 2 });
    expect(Object.fromEntries(scrape.limit)).toEqual({ abc123def: 20 });
    expect(scrape.concurrent).toBe(50);
    expect(scrape.startedAt).toBe(1_796_100_000_000);
  });

  test('of an older runner, of nobody, or made up cost nothing', () => {
    const strange = [
      '',
      'gitlab_runner_jobs{runner="a"} NaN\ngitlab_runner_jobs{runner="b"} -4\ngitlab_runner_jobs{} 3\n',
      `gitlab_runner_jobs{runner="${'x'.repeat(5_000)}"} 3`,
      'gitlab_runner_jobs{runner="a" 3',
      '<html>gitlab_runner_jobs</html>',
      `gitlab_runner_${'a'.repeat(100_000)}`,
    ];
    for (const each of strange) expect(readScrape(each).jobs.size).toBe(0);
  });
});
