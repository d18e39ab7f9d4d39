/** `proxytune generate` with a running cloud and a finished run, as after the report. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ListModelsCommand } from '@aws-sdk/client-sagemaker';
import sharp from 'sharp';
import { call, childrenOf, start, untilLine } from './commands.ts';
import { JOB_PREFIX, jobsOf, type TestCloud } from './pipeline.ts';

interface Generated {
  readonly id: string;
  readonly prompt: string;
  readonly size: number;
  readonly files: readonly string[];
}

const PROMPT = 'a photo of a {token} dog at sunset';
const command = (run: string, seed: number, count: number) => [
  'generate',
  run,
  PROMPT,
  ...['--seed', String(seed), '-n', String(count), '--json'],
];

/** Generates images twice, in different ways and calls, and compares what must be the same. */
export async function expectGenerated(cloud: TestCloud, run: string): Promise<void> {
  const { dataDir, environment } = cloud.local;
  const here = await generated(['--data', dataDir], command(run, 5, 2));
  expect(here.prompt).toBe('a photo of a ohwx dog at sunset');
  expect(here.files).toEqual(
    [5, 6].map((seed) => join(dataDir, 'runs', run, 'generated', here.id, `seed-${seed}.png`)),
  );
  for (const file of here.files)
    expect(await sharp(file).metadata()).toMatchObject({
      format: 'png',
      width: here.size,
      height: here.size,
    });
  // Reused, not generated again: no second job, the same files.
  const again = await generated(
    ['--data', dataDir],
    [...command(run, 5, 2), '--out', join(dataDir, 'again')],
  );
  expect(bytes(again)).toEqual(bytes(here));

  // As in an account: only with the stack's outputs and the environment. Generated again, in another batch, with
  // overlapping seeds: images of the same seed have the same bytes, and different seeds give different images.
  const there = await generated(
    ['--stack', 'Proxytune', '--data', join(dataDir, 'account')],
    command(run, 4, 3),
    environment,
  );
  expect(bytes(there).slice(1)).toEqual(bytes(here));
  expect(new Set(bytes(there).map((content) => content.toString('base64'))).size).toBe(3);

  const jobs = Object.entries(await jobsOf(cloud, run));
  for (const { id } of [here, there]) {
    const name = `${JOB_PREFIX}${run}-gen-${id}-a1`;
    expect(jobs.filter(([job]) => job.includes(`-gen-${id}-`))).toEqual([[name, 'Completed']]);
  }
  await expectNoModels(cloud);
}

async function generated(
  target: readonly string[],
  args: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<Generated> {
  const { code, out, err } = await start([...args, ...target], environment).ended;
  expect({ code, err }).toMatchObject({ code: 0 });
  return JSON.parse(out.trim().split('\n').at(-1) ?? '');
}

function bytes({ files }: Generated): Buffer[] {
  return files.map((file) => readFileSync(file));
}

/** Requests a long generation, and stops it with Ctrl-C while the teacher is working. */
export async function expectStopped(cloud: TestCloud, run: string): Promise<void> {
  const args = ['generate', run, PROMPT, '-n', '64', '--of', 'teacher', '--data', cloud.local.dataDir];
  const started = start(args);
  await untilLine(started, 'an instance is at work');
  for (const pid of childrenOf(started.child.pid)) process.kill(pid, 'SIGINT');
  const { code, err } = await started.ended;
  expect({ code, err }).toMatchObject({ code: 130, err: expect.stringContaining('Interrupted') });
  const stopped = Object.entries(await jobsOf(cloud, run)).filter(([, status]) => status === 'Stopped');
  expect(stopped).toEqual([[expect.stringContaining('-gen-'), 'Stopped']]);
  await expectNoModels(cloud);
}

export async function expectUnknown(cloud: TestCloud): Promise<void> {
  const { code, err } = await call('generate', 'nobody-00000000', PROMPT, '--data', cloud.local.dataDir);
  expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('RunUnknown') });
  expect(err).not.toMatch(/\n\s+at /);
}

/** Checks that no SageMaker model is left, which nothing would delete. */
async function expectNoModels(cloud: TestCloud): Promise<void> {
  const { Models = [] } = await cloud.sagemaker.send(new ListModelsCommand({ NameContains: '-gen-' }));
  expect(Models).toEqual([]);
}
