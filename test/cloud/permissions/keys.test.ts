/** Compares the patterns of the policies with keys and prefixes as core builds them. */
import { LAMBDA_NAMES, type LambdaName } from '../../../lib/cloud/lambda-names.ts';
import { keys } from '../../../lib/core/keys.ts';
import { removeTemporary } from '../synthesize.ts';
import { grantsTo, keyPatterns, listed, matches } from './granted.ts';

afterAll(removeTemporary);

const RUN = 'my-dog-0a1b2c3d';
const JOB = 'proxytune-0000-my-dog-0a1b2c3d-evaluate-a1';
/** As SageMaker names the one of a job that does not pack it. */
const ARTIFACT_FOLDER = `${keys.jobs(RUN)}${JOB}/output/model/`;
const CLASS = {
  model: 'sdxl',
  digest: '0a1b2c3d',
  prompt: 'a dog',
  size: 1024,
  steps: 25,
  guidance: 3.5,
  pictures: 200,
};
/** Keys as core builds them, one for each way in which a lambda accesses the bucket. */
const TOUCHED: readonly (readonly [LambdaName, string, string])[] = [
  ['plan-run', 's3:GetObjectVersion', keys.request('my-dog')],
  ['plan-run', 's3:GetObject', keys.modelManifest('sdxl')],
  ['plan-run', 's3:PutObject', keys.plan(RUN)],
  ['plan-run', 's3:PutObject', keys.chunk(RUN, 'synthesize', 7)],
  ['inspect-photos', 's3:GetObject', `${keys.photos('my-dog')}a+b 1.jpg`],
  ['inspect-photos', 's3:PutObject', `${keys.references(RUN)}0001.png`],
  ['inspect-photos', 's3:DeleteObject', `${keys.references(RUN)}findings.json`],
  ['start-job', 's3:GetObject', keys.plan(RUN)],
  ['start-job', 's3:GetObject', keys.modelManifest('sdxl')],
  ['start-job', 's3:GetObject', keys.findings(RUN)],
  ['start-job', 's3:PutObject', keys.manifest(RUN, JOB)],
  ['decide-round', 's3:GetObject', keys.plan(RUN)],
  ['decide-round', 's3:GetObject', `${ARTIFACT_FOLDER}curation.json`],
  ['decide-round', 's3:PutObject', keys.curationFile(RUN)],
  ['publish-run', 's3:GetObject', `${ARTIFACT_FOLDER}index.html`],
  ['publish-run', 's3:GetObject', keys.plan(RUN)],
  ['publish-run', 's3:GetObject', keys.drawnClass(RUN)],
  ['publish-run', 's3:PutObject', keys.classArchive(keys.classImages(CLASS))],
  ['publish-run', 's3:PutObject', keys.reportPage(RUN)],
  ['publish-run', 's3:PutObject', `${keys.report(RUN)}pictures/1.png`],
];

test.each(TOUCHED)('%s may %s %s', (name, action, key) => {
  expect(keyPatterns(name, action).filter((pattern) => matches(pattern, key))).not.toEqual([]);
});

test.each([
  ['plan-run', keys.model('sdxl')],
  ['plan-run', keys.request('my-dog')],
  ['inspect-photos', keys.photos('my-dog')],
  ['inspect-photos', keys.references(RUN)],
  ['start-job', keys.pictures(RUN, 'synthesize')],
  ['complete-job', keys.pictures(RUN, 'sample-student')],
  ['reconcile-job', keys.pictures(RUN, 'sample-teacher')],
  ['publish-run', ARTIFACT_FOLDER],
  ['publish-run', keys.drawnClass(RUN)],
  ['publish-run', keys.classImages(CLASS)],
  ['start-job', keys.classImages(CLASS)],
  ['start-job', keys.modelManifest('sdxl')],
] as const)('%s may list %s', (name, prefix) => {
  expect(listed(name).some((pattern) => matches(pattern, prefix))).toBe(true);
});

test('only plan-run can read a request, and only inspect-photos a photo', () => {
  const readers = (key: string) =>
    [...LAMBDA_NAMES, 'jobs', 'import'].filter((name) =>
      keyPatterns(name, 's3:GetObject').some((pattern) => matches(pattern, key)),
    );
  expect(readers(keys.request('my-dog'))).toEqual(['plan-run']);
  expect(readers(`${keys.photos('my-dog')}1.jpg`)).toEqual(['inspect-photos']);
});

test('a job cannot see uploaded photos or requests, nor write plans, references or reports', () => {
  expect(keyPatterns('jobs', 's3:GetObject')).toEqual([
    'class-images/*',
    'intermediates/*',
    'models/*',
    'runs/*',
  ]);
  expect(keyPatterns('jobs', 's3:PutObject')).toEqual([
    'intermediates/*/checkpoints/*',
    'intermediates/*/pictures/*',
    'runs/*/failures/*',
    'runs/*/jobs/*',
    'runs/*/pictures/*',
  ]);
  const generated = keys.generatedPicturesOfAttempt(RUN, '0a1b2c3d', 1);
  expect(keyPatterns('jobs', 's3:PutObject').some((pattern) => matches(pattern, `${generated}x.out`))).toBe(
    true,
  );
  // What SageMaker mirrors from a checkpoint folder, which has the proxies in a synthesis job on spot instances.
  expect(keyPatterns('jobs', 's3:DeleteObject')).toEqual([
    'intermediates/*/checkpoints/*',
    'intermediates/*/pictures/*',
  ]);
  expect(listed('jobs')).toEqual(['models/*', 'runs/*', 'intermediates/*', 'class-images/*']);
});

test('the job with network access writes models and has no access to any run', () => {
  expect(keyPatterns('import', 's3:PutObject')).toEqual(['imports/*', 'models/*']);
  const touched = grantsTo('import').flatMap(({ on }) => (on.startsWith('bucket/') ? [on.slice(7)] : []));
  const keysOfOthers = [keys.photos('my-dog'), keys.references(RUN), ARTIFACT_FOLDER, keys.plan(RUN)];
  expect(keysOfOthers.filter((key) => touched.some((pattern) => matches(pattern, key)))).toEqual([]);
});
