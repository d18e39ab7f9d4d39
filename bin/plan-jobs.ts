/**
 * `node bin/plan-jobs.ts FOLDER/subject.json`: prints the plan of a request, the requests of its training jobs, its
 * chunks and its keys, as one JSON object. Whoever runs the jobs without a cloud (containers/dev/pipeline.py) reads it.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { VERSION } from '../lib/cli/version.ts';
import { ProxytuneError } from '../lib/core/errors.ts';
import { trainingJobRequest } from '../lib/core/jobs/requests.ts';
import { chunkName, keys } from '../lib/core/keys.ts';
import { chunksOf } from '../lib/core/plan/chunks.ts';
import { makePlan } from '../lib/core/plan/make-plan.ts';
import type { Plan } from '../lib/core/plan/plan.ts';
import { generatesImages } from '../lib/core/plan/stage-plan.ts';
import { parseRequest } from '../lib/core/request/request.ts';

const [file, ...others] = process.argv.slice(2);
if (file === undefined || others.length > 0) {
  console.error('usage: node bin/plan-jobs.ts FOLDER/subject.json');
  process.exit(2);
}
try {
  const plan = planOf(file);
  console.log(
    JSON.stringify({
      plan,
      trainings: trainingsOf(plan),
      chunks: chunksByStage(plan),
      keys: keysOf(plan),
    }),
  );
} catch (error) {
  const unreadable = error instanceof Error && 'syscall' in error;
  if (!(error instanceof ProxytuneError) && !unreadable) throw error;
  console.error(`${error.name}: ${error.message}`);
  process.exitCode = 1;
}

function planOf(path: string): Plan {
  return makePlan(parseRequest(readFileSync(path, 'utf8')), {
    runId: 'planned-00000000',
    subject: basename(dirname(resolve(path))),
    bucket: 'planned',
    scale: 'tiny',
    version: VERSION,
  });
}

/** Stage to the request of its first attempt. */
function trainingsOf(plan: Plan) {
  const context = { roleArn: 'arn:aws:iam::123456789012:role/none', imageUri: 'none', jobPrefix: 'planned-' };
  return Object.fromEntries(
    plan.stages
      .filter((stage) => !generatesImages(stage))
      .map(({ stage }) => [stage, trainingJobRequest(plan, { run: plan.runId, stage, attempt: 1 }, context)]),
  );
}

/** Where the inputs of jobs lie that no job writes there, and the images of each stage. */
function keysOf({ runId, stages }: Plan) {
  const generating = stages.filter(generatesImages).map(({ stage }) => stage);
  return {
    plan: keys.plan(runId),
    references: keys.references(runId),
    curation: keys.curation(runId),
    pictures: Object.fromEntries(generating.map((stage) => [stage, keys.pictures(runId, stage)])),
  };
}

/** Stage to its chunks, by the names that they have in the bucket. */
function chunksByStage(plan: Plan) {
  return Object.fromEntries(
    plan.stages
      .filter(generatesImages)
      .map(({ stage }) => [
        stage,
        Object.fromEntries(chunksOf(plan, stage).map((chunk) => [chunkName(chunk.chunk), chunk])),
      ]),
  );
}
