/** Reports of runs with drawn images, by the container's code. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CONTAINERS = join(import.meta.dirname, '..', '..', 'containers');

/** Evaluates a run of a plan. @param run - the folder of the job; the report is in its folder `model` */
export function createReport(plan: object, run: string): void {
  const planFile = `${run}.json`;
  writeFileSync(planFile, JSON.stringify(plan));
  const result = spawnSync(
    join(CONTAINERS, '..', '.venv', 'bin', 'python'),
    [join(CONTAINERS, 'tests', 'evaluation', 'make_run.py'), planFile, run],
    // The script shares helpers with the tests of the container package.
    { encoding: 'utf8', env: { ...process.env, PYTHONPATH: join(CONTAINERS, 'tests') } },
  );
  if (result.status !== 0) throw new Error(`the report was not created: ${result.error ?? result.stderr}`);
}
