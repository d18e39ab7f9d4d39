/** The first image of the subject, from a real bucket to this disk. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AwsContext } from '../../lib/aws/context.ts';
import { findFirstImage } from '../../lib/cli/first-image.ts';
import type { RunView, StageState } from '../../lib/cli/run-state.ts';
import { keys } from '../../lib/core/keys.ts';
import { Bench } from '../lambdas/bench.ts';
import { contextOf } from './context.ts';

let bench: Bench;
let aws: AwsContext;
const data = mkdtempSync(join(tmpdir(), 'first-image-'));

beforeAll(async () => {
  bench = await Bench.start();
  aws = contextOf(bench);
}, 120_000);
afterAll(async () => {
  aws?.close();
  await bench?.close();
  rmSync(data, { recursive: true });
}, 60_000);

const viewOf = (runId: string, state: StageState) =>
  ({ runId, stages: [{ stage: 'teach', state }] }) as unknown as RunView;

test('the first image of a trained checkpoint is copied and announced once, that of the untuned teacher never', async () => {
  const run = 'rex-0000000f';
  const firstImage = findFirstImage(aws, data);
  const put = (name: string, text: string) => bench.put(`${keys.teachSamples(run)}${name}`, text);
  await put('step-00000000/0000.png', 'no subject');
  await put('step-00000050/adapter.safetensors', 'weights');
  expect(await firstImage(viewOf(run, 'running'))).toBeUndefined();
  await put('step-00000050/0000.png', 'the subject');
  await put('step-00000050/0001.png', 'another one');
  expect(await firstImage(viewOf(run, 'waiting'))).toBeUndefined();
  const file = join(data, 'runs', run, 'first-image.png');
  expect(await firstImage(viewOf(run, 'running'))).toBe(
    `the first image of the subject, after 50 steps of the teacher: ${file}`,
  );
  expect(readFileSync(file, 'utf8')).toBe('the subject');
  expect(await firstImage(viewOf(run, 'running'))).toBeUndefined();
}, 60_000);

test('a run that resumes after its teacher looks for none', async () => {
  const run = 'rex-0000000g';
  await bench.put(`${keys.teachSamples(run)}step-00000050/0000.png`, 'the subject');
  expect(await findFirstImage(aws, data)(viewOf(run, 'done'))).toBeUndefined();
});
