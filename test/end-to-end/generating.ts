/** `proxytune generate` against a cloud that is up and has a finished run: what a user does after the report. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ListModelsCommand } from '@aws-sdk/client-sagemaker';
import sharp from 'sharp';
import { call, childrenOf, start, untilLine } from './commands.ts';
import { jobsOf, type Road } from './pipeline.ts';

interface Generated {
  readonly id: string;
  readonly prompt: string;
  readonly size: number;
  readonly files: readonly string[];
}

const PROMPT = 'a photo of a {token} dog at sunset';
const wish = (run: string, seed: number, count: number) => [
  'generate',
  run,
  PROMPT,
  ...['--seed', String(seed), '-n', String(count), '--json'],
];

/** Draws twice by different ways and calls, and compares what must be the same. */
export async function expectGenerated(road: Road, run: string): Promise<void> {
  const { dataDir, environment } = road.cloud;
  const here = await generated(['--data', dataDir], wish(run, 5, 2));
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
  // Found, not drawn: no second job, the same files.
  const again = await generated(['--data', dataDir], [...wish(run, 5, 2), '--out', join(dataDir, 'again')]);
  expect(bytes(again)).toEqual(bytes(here));

  // As in an account: by the stack's outputs and the environment alone. Drawn anew, in another batch, with seeds that
  // overlap: the pictures of the same seeds are the same bytes, and no two seeds give one picture.
  const there = await generated(
    ['--stack', 'Proxytune', '--data', join(dataDir, 'account')],
    wish(run, 4, 3),
    environment,
  );
  expect(bytes(there).slice(1)).toEqual(bytes(here));
  expect(new Set(bytes(there).map((content) => content.toString('base64'))).size).toBe(3);

  const jobs = Object.entries(await jobsOf(road, run));
  for (const { id } of [here, there]) {
    const name = `proxytune-${run}-generate-${id}-a1`;
    expect(jobs.filter(([job]) => job.includes(`-generate-${id}-`))).toEqual([[name, 'Completed']]);
  }
  await expectNoModels(road);
}

async function generated(
  place: readonly string[],
  args: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<Generated> {
  const { code, out, err } = await start([...args, ...place], environment).ended;
  expect({ code, err }).toMatchObject({ code: 0 });
  return JSON.parse(out.trim().split('\n').at(-1) ?? '');
}

function bytes({ files }: Generated): Buffer[] {
  return files.map((file) => readFileSync(file));
}

/** The teacher is asked for more than it draws in the time, and Ctrl-C comes while it is at work. */
export async function expectStopped(road: Road, run: string): Promise<void> {
  const args = ['generate', run, PROMPT, '-n', '64', '--of', 'teacher', '--data', road.cloud.dataDir];
  const started = start(args);
  await untilLine(started, 'an instance is at work');
  for (const pid of childrenOf(started.child.pid)) process.kill(pid, 'SIGINT');
  const { code, err } = await started.ended;
  expect({ code, err }).toMatchObject({ code: 130, err: expect.stringContaining('Interrupted') });
  const stopped = Object.entries(await jobsOf(road, run)).filter(([, status]) => status === 'Stopped');
  expect(stopped).toEqual([[expect.stringContaining('-generate-'), 'Stopped']]);
  await expectNoModels(road);
}

export async function expectUnknown(road: Road): Promise<void> {
  const { code, err } = await call('generate', 'nobody-00000000', PROMPT, '--data', road.cloud.dataDir);
  expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('RunUnknown') });
  expect(err).not.toMatch(/\n\s+at /);
}

/** A model that stays behind would be there for ever. */
async function expectNoModels(road: Road): Promise<void> {
  const { Models = [] } = await road.sagemaker.send(new ListModelsCommand({ NameContains: '-generate-' }));
  expect(Models).toEqual([]);
}
