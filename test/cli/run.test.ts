import { makeOutput } from '../../lib/cli/output.ts';
import { afterFailure, runCommand } from '../../lib/cli/run.ts';
import type { RunView } from '../../lib/cli/run-state.ts';

const view = (error: string, message: string) => ({ error, message }) as RunView;

describe('after a failure', () => {
  test('of a job, its log on this machine and the way to go on are named', () => {
    const failed = view('JobFailed', 'it broke. What to do: read. (job proxytune-dog-0a1b2c3d-teach-a1)');
    expect(afterFailure(failed, 'dog-0a1b2c3d', '/data')).toEqual([
      "the job's log on this machine: /data/sagemaker/jobs/proxytune-dog-0a1b2c3d-teach-a1/log.txt",
      'to try again from where it failed: npx proxytune run --local --resume dog-0a1b2c3d',
    ]);
  });

  test('that only another request can mend, nothing is to be gone on with', () => {
    expect(afterFailure(view('OverBudget', 'too dear'), 'dog-0a1b2c3d', '/data')).toEqual([]);
  });
});

test.each([
  ['a folder', 'photos', {}],
  ['a field', undefined, { proxies: 10 }],
])('--resume with %s is refused before anything starts', async (_, dir, fields) => {
  await expect(
    runCommand(dir, { local: true, resume: 'dog-0a1b2c3d', fields }, makeOutput({})),
  ).rejects.toMatchObject({
    name: 'UsageInvalid',
  });
});
