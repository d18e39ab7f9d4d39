/** `proxytune generate`, in a real bucket, table and SageMaker service, with a container of a few lines. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListModelsCommand, ListTransformJobsCommand } from '@aws-sdk/client-sagemaker';
import { sagemaker } from '../../lib/aws/clients.ts';
import type { AwsContext } from '../../lib/aws/context.ts';
import { beginRun } from '../../lib/aws/table.ts';
import { type GenerateOptions, generateAt, generateCommand } from '../../lib/cli/commands/generate.ts';
import type { Output } from '../../lib/cli/output.ts';
import { keys } from '../../lib/core/keys.ts';
import { Bench, BUCKET } from '../lambdas/bench.ts';
import { jobRuns } from '../lambdas/jobs.ts';
import { contextOf } from './context.ts';

let bench: Bench;
let run: string;
/** A run that has a teacher and no student yet. */
let half: string;
let data: string;
let aws: AwsContext;

beforeAll(async () => {
  bench = await Bench.start();
  run = await planned('rex');
  half = await planned('max');
  for (const stage of ['teach', 'synthesize', 'learn'] as const) await bench.finish(run, stage);
  await bench.finish(half, 'teach');
  data = mkdtempSync(join(tmpdir(), 'proxytune-generate-'));
  aws = contextOf(bench);
}, 180_000);

afterAll(async () => {
  aws?.close();
  await bench?.close();
  if (data) rmSync(data, { recursive: true, force: true });
}, 60_000);

beforeEach(() => bench.control('serve', { draw: true }));

async function planned(subject: string): Promise<string> {
  const runId = await bench.plan(subject);
  await beginRun(bench.context, { runId, subject, bucket: BUCKET });
  return runId;
}

interface Called {
  readonly said: string[];
  readonly printed: { id: string; folder: string; files: string[]; prompt: string; seconds: number };
}

const never = new AbortController().signal;

async function generate(
  prompt: string,
  options: GenerateOptions = {},
  of = run,
  signal = never,
): Promise<Called> {
  const said: string[] = [];
  const printed: unknown[] = [];
  const output = listener(said, printed);
  expect(await generateAt(aws, of, prompt, { data, ...options }, output, signal)).toBe(0);
  return { said, printed: printed[0] as Called['printed'] };
}

function listener(said: string[] = [], printed: unknown[] = []): Output {
  return {
    json: false,
    terminal: false,
    debug: false,
    say: (line) => said.push(line),
    data: (value) => printed.push(value),
    write: () => {},
  };
}

const starts = () =>
  bench.gate.called('CreateTransformJob').map(({ TransformJobName: name }) => String(name));

async function transforms(): Promise<Record<string, string | undefined>> {
  const { TransformJobSummaries = [] } = await sagemaker().send(
    new ListTransformJobsCommand({ NameContains: '-gen-', MaxResults: 100 }),
  );
  return Object.fromEntries(
    TransformJobSummaries.map(({ TransformJobName = '', TransformJobStatus }) => [
      TransformJobName,
      TransformJobStatus,
    ]),
  );
}

/** A model that stays would be there for ever. */
async function expectNoModel(): Promise<void> {
  const { Models = [] } = await sagemaker().send(new ListModelsCommand({ NameContains: '-gen-' }));
  expect(Models).toEqual([]);
}

test('pictures, their record and a page lie in the folder that is the last line; again costs nothing', async () => {
  const { said, printed } = await generate('a photo of a {token} <dog>', { number: 3, seed: 40 });
  expect(said.at(-1)).toBe(printed.folder);
  expect(printed.folder).toBe(join(data, 'runs', run, 'generated', printed.id));
  const files = [40, 41, 42].map((seed) => `seed-${seed}.png`);
  expect(readdirSync(printed.folder).sort()).toEqual(['generation.json', 'index.html', ...files]);
  expect(printed.files).toEqual(files.map((file) => join(printed.folder, file)));
  for (const file of printed.files) expect(said).toContain(file);
  expect(readFileSync(printed.files[1] ?? '', 'utf8')).toBe('the picture of a photo of a ohwx <dog> from 41');
  expect(JSON.parse(readFileSync(join(printed.folder, 'generation.json'), 'utf8'))).toMatchObject({
    run,
    of: 'student',
    prompt: 'a photo of a ohwx <dog>',
    seed: 40,
  });
  const page = readFileSync(join(printed.folder, 'index.html'), 'utf8');
  for (const file of files) expect(page).toContain(`src="${file}"`);
  expect(page).not.toContain('<dog>');
  expect(page).toContain(`of run <code>${run}</code>`);
  expect(page).toContain('<dt>seeds</dt><dd>40 to 42</dd>');
  await expectNoModel();

  const begun = starts().length;
  const again = await generate('a photo of a {token} <dog>', {
    number: 3,
    seed: 40,
    out: join(data, 'elsewhere'),
  });
  expect(starts()).toHaveLength(begun);
  expect(again.printed.seconds).toBe(0);
  for (const file of files)
    expect(readFileSync(join(data, 'elsewhere', file))).toEqual(readFileSync(join(printed.folder, file)));
}, 120_000);

test('the teacher draws with its own adapter, also of a run without a student', async () => {
  await generate('a {token} dog', { number: 1, of: 'teacher' }, half);
  const [wanted] = bench.gate.called('CreateModel').slice(-1);
  expect(wanted?.PrimaryContainer).toMatchObject({
    ModelDataUrl: `s3://${BUCKET}/${keys.jobs(half)}proxytune-${half}-teach-a1/output/model.tar.gz`,
    Environment: { PROXYTUNE_ROLE: 'teacher' },
  });
  await expect(generate('a {token} dog', {}, half)).rejects.toMatchObject({
    name: 'AdapterMissing',
    message: expect.stringContaining('--of teacher'),
  });
}, 120_000);

test('a failure is reported by name, and the next call draws only what is missing', async () => {
  bench.control('serve', { draw: true, refuse: [1], refusal: 'it broke' });
  const options = { number: 40, seed: 1000 };
  await expect(generate('a {token} dog', options)).rejects.toMatchObject({
    name: 'JobFailed',
    message: expect.stringMatching(/What to do: .*retry\. \(job proxytune-.*-gen-.*-a1\)/),
  });
  await expectNoModel();
  bench.control('serve', { draw: true });
  const { printed } = await generate('a {token} dog', options);
  expect(printed.files).toHaveLength(40);
  const second = starts().at(-1) ?? '';
  expect(second).toMatch(/-a2$/);
  const [, ...chunks] = JSON.parse((await bench.get(keys.manifest(run, second))).text);
  expect(chunks).toEqual(['chunk-0001.json']);
}, 120_000);

test('with another base model than the adapter was trained on nothing is drawn', async () => {
  const begun = starts().length;
  await bench.putModel('llamagen-tiny', '{"revision": 2}');
  await expect(generate('a {token} dog', { number: 1, seed: 66 })).rejects.toMatchObject({
    name: 'ModelChanged',
    message: expect.stringContaining('has changed since the run was planned'),
  });
  expect(starts()).toHaveLength(begun);
  await bench.putModel('llamagen-tiny');
}, 120_000);

test('the container’s own message is reported where it left one', async () => {
  const wish = { number: 1, seed: 77 };
  bench.control('serve', { refuse: [0], refusal: 'it broke' });
  const job = () => starts().at(-1) ?? '';
  // The note is there before the job is over, as the container writes it before it answers.
  const leave = bench.gate.before('DescribeTransformJob', async () => {
    await bench.put(
      keys.failureNote(run, job()),
      'ModelMissing: the weights are gone. What to do: bring them.',
    );
  });
  await expect(generate('a {token} dog', wish)).rejects.toMatchObject({
    name: 'ModelMissing',
    message: expect.stringContaining('the weights are gone'),
  });
  leave();
}, 120_000);

test('an interruption stops the job and takes its model away', async () => {
  bench.control('serve', { hang: true });
  const controller = new AbortController();
  const drawing = generate('a {token} dog', { number: 2, seed: 500 }, run, controller.signal);
  const ended = expect(drawing).rejects.toThrow('enough');
  const begun = starts().length;
  while (starts().length === begun) await new Promise((done) => setTimeout(done, 50));
  await jobRuns(starts().at(-1) ?? '');
  controller.abort(new Error('enough'));
  await ended;
  expect(await transforms()).toMatchObject({ [starts().at(-1) ?? '']: 'Stopped' });
  await expectNoModel();
}, 120_000);

test('what SageMaker refuses is reported by name and leaves no model', async () => {
  bench.gate.refuseNext('CreateTransformJob', {
    name: 'ResourceLimitExceeded',
    message: 'The account-level service limit for transform job usage is 0 Instances',
  });
  await expect(generate('a {token} dog', { number: 1, seed: 600 })).rejects.toMatchObject({
    name: 'QuotaTooLow',
    message: expect.stringContaining('What to do:'),
  });
  await expectNoModel();
}, 120_000);

test('two terminals that ask for the same get it from one job', async () => {
  const wish = { number: 2, seed: 700 };
  const known = Object.keys(await transforms()).length;
  const [one, two] = await Promise.all(
    ['one', 'two'].map((out) => generate('a {token} dog', { ...wish, out: join(data, out) })),
  );
  expect(Object.keys(await transforms())).toHaveLength(known + 1);
  expect(one?.printed.files.map((file) => readFileSync(file, 'utf8'))).toEqual(
    two?.printed.files.map((file) => readFileSync(file, 'utf8')),
  );
}, 120_000);

test('a prompt without the token word is said to miss the subject', async () => {
  const { said } = await generate('a dog', { number: 1, seed: 800 });
  expect(said.filter((line) => line.includes('does not hold the token word ohwx'))).toHaveLength(1);
}, 120_000);

describe('refused before any job', () => {
  test.each([
    ['an unknown run', 'RunUnknown', 'nobody-00000000', {}],
    ['too many pictures', 'UsageInvalid', undefined, { number: 65 }],
    ['no picture', 'UsageInvalid', undefined, { number: 0 }],
    ['a limit below the price', 'OverBudget', undefined, { maxUsd: 0.000001 }],
  ] as const)('%s', async (_, name, named, options) => {
    const begun = starts().length;
    await expect(generate('a {token} dog', options, named ?? run)).rejects.toMatchObject({ name });
    expect(starts()).toHaveLength(begun);
  });

  test('two places, before either is looked at', async () => {
    const options = { data, local: true, stack: 'Proxytune' };
    await expect(generateCommand(run, 'a {token} dog', options, listener())).rejects.toMatchObject({
      name: 'UsageInvalid',
    });
  });

  test('a folder that holds other files, or is one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'proxytune-other-'));
    const file = join(folder, 'letter.txt');
    writeFileSync(file, 'a letter');
    const begun = starts().length;
    for (const out of [folder, file])
      await expect(generate('a {token} dog', { number: 1, seed: 900, out })).rejects.toMatchObject({
        name: 'UsageInvalid',
        message: expect.stringContaining(out),
      });
    expect(starts()).toHaveLength(begun);
    expect(readdirSync(folder)).toEqual(['letter.txt']);
    rmSync(folder, { recursive: true });
  });
});
