/** The command line in its own process and data folder, with Ctrl-C and even kill -9. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HeadBucketCommand, S3Client } from '@aws-sdk/client-s3';
import {
  call,
  childrenOf,
  endAll,
  EXAMPLE as example,
  start,
  untilLine,
  untilNothingRuns,
  untilTeaching,
} from './commands.ts';
import { expectPair, flagsOf, PAIRS, type Pair } from './pairs.ts';

const MINUTE = 60_000;
/** Enough training steps to stop the run in the middle of them. */
const small = ['--proxies', '12', '--set', 'advanced.sample.prompts=2', '--set', 'advanced.teach.steps=120'];
const data = mkdtempSync(join(tmpdir(), 'proxytune-cli-'));

afterAll(() => {
  endAll();
  rmSync(data, { recursive: true, force: true });
});

test(
  'Ctrl-C stops a run and explains how to resume it, and resuming ends with a report',
  async () => {
    const pair = flagsOf(PAIRS.stopped);
    const started = start(['run', '--local', example, '--data', data, '--json', ...small, ...pair]);
    const { child, ended } = started;
    await untilTeaching(started);
    child.kill('SIGINT');
    // A terminal sends Ctrl-C to both processes, so the child gets its own.
    for (const pid of childrenOf(child.pid)) process.kill(pid, 'SIGINT');
    const stopped = await ended;
    expect(stopped.code).toBe(130);
    const { runId: run } = JSON.parse(stopped.out.trim().split('\n').at(-1) ?? '');
    expect(run).toMatch(/^toy-[0-9a-f]{8}$/);
    await untilNothingRuns(data);

    const status = JSON.parse((await call('status', run, '--data', data, '--json')).out);
    expect(status).toMatchObject({ runId: run, status: 'STOPPED', error: 'Interrupted' });
    expect(status.message).toContain(`npx proxytune run --local --resume ${run}`);
    const page = await resume(run, PAIRS.stopped);

    const report = await call('report', '--data', data, '--json');
    expect(JSON.parse(report.out)).toEqual({ runId: run, report: page });
    const single = JSON.parse((await call('report', '--data', data, '--json', '--single-file')).out);
    expect(single).toEqual({ runId: run, report: join(data, 'runs', run, `${run}.html`) });
    expect(readFileSync(single.report, 'utf8')).toContain('src="data:image/png;base64,');
    const runs = JSON.parse((await call('status', '--data', data, '--json')).out);
    expect(runs).toMatchObject([{ runId: run, status: 'SUCCEEDED' }]);
  },
  8 * MINUTE,
);

/** Resumes a run until its report. @returns the path of the report */
async function resume(run: string, pair: Pair): Promise<string> {
  const resumed = await call('run', '--local', '--resume', run, '--data', data);
  expect({ code: resumed.code, err: resumed.err }).toMatchObject({ code: 0 });
  const page = resumed.out.trim().split('\n').at(-1) ?? '';
  expect(page).toBe(join(data, 'runs', run, 'report/index.html'));
  const text = readFileSync(page, 'utf8');
  expect(text).toContain('<!doctype html>');
  expectPair(text, pair);
  await untilNothingRuns(data);
  return page;
}

test(
  'nothing is left running when the command line is killed, and resuming ends with a report',
  async () => {
    const pair = flagsOf(PAIRS.killed);
    const started = start(['run', '--local', example, '--data', data, '--json', ...small, ...pair]);
    const { child, ended } = started;
    await untilTeaching(started);
    for (const pid of [...childrenOf(child.pid), child.pid ?? 0]) process.kill(pid, 'SIGKILL');
    await ended;
    await untilNothingRuns(data);
    // The folder is usable again, and the interrupted run is over.
    const runs = await call('status', '--data', data, '--json');
    // With --json an error is on the standard output.
    expect(runs).toEqual({ code: 0, out: expect.stringMatching(/^\[/), err: '' });
    const [killed] = JSON.parse(runs.out);
    expect(killed).toMatchObject({ status: 'STOPPED', error: 'Interrupted' });
    expect(killed.message).toContain('--resume');
    await resume(killed.runId, PAIRS.killed);

    const both = [killed.runId, JSON.parse(runs.out)[1].runId];
    const compared = await call('compare', ...both, '--data', data, '--json');
    const { page, models, obstacles } = JSON.parse(compared.out);
    expect(models.map(({ runId }: { runId: string }) => runId)).toEqual(both.flatMap((run) => [run, run]));
    expect(obstacles).toEqual([expect.stringContaining('random weights')]);
    expect(readFileSync(page, 'utf8')).toContain(`src="${killed.runId}/pictures/student/`);
  },
  8 * MINUTE,
);

test(
  'the local cloud serves any SDK and other commands until Ctrl-C',
  async () => {
    const started = start(['local', '--data', data, '--json']);
    const { environment, outputs } = JSON.parse(await untilLine(started, '"environment"'));
    for (const service of ['', '_SFN', '_SAGEMAKER', '_SERVICE_QUOTAS'])
      expect(environment[`AWS_ENDPOINT_URL${service}`]).toMatch(/^http:..127.0.0.1:/);
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
    const s3 = new S3Client({
      endpoint: environment.AWS_ENDPOINT_URL,
      region: environment.AWS_REGION,
      credentials: { accessKeyId, secretAccessKey },
      forcePathStyle: true,
    });
    await s3.send(new HeadBucketCommand({ Bucket: outputs.BucketName }));
    s3.destroy();
    // A command that only reads uses the running cloud; one that would run jobs is rejected.
    expect(await call('status', '--data', data, '--json')).toMatchObject({ code: 0, err: '' });
    const second = await call('run', '--local', example, '--data', data);
    expect(second.code).toBe(2);
    expect(second.err).toContain('RunActive');
    for (const pid of childrenOf(started.child.pid)) process.kill(pid, 'SIGINT');
    expect((await started.ended).code).toBe(0);
    await untilNothingRuns(data);
  },
  2 * MINUTE,
);

test(
  'unusable photos end the run with exit code 3 before any job',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'proxytune-photos-'));
    writeFileSync(join(folder, 'empty.jpg'), '');
    writeFileSync(join(folder, 'text.jpg'), 'not an image');
    const rejected = await call(
      'run',
      '--local',
      folder,
      '--data',
      data,
      '--category',
      'dog',
      '--consent',
      '--subject',
      'none',
    );
    rmSync(folder, { recursive: true, force: true });
    expect(rejected.code).toBe(3);
    expect(rejected.err).toContain('PhotosRejected');
    for (const file of ['empty.jpg', 'text.jpg']) expect(rejected.err).toContain(file);
    expect(rejected.err).toContain('What to do:');
    expect(rejected.err).not.toMatch(/\n\s+at /);
  },
  2 * MINUTE,
);

test.each([
  [['run', example], 2, 'UsageInvalid'],
  [['run', '--local', join(example, 'nowhere'), '--category', 'dog'], 2, 'FolderMissing'],
  [['run', '--local', example, '--set', 'categry=dog'], 3, 'did you mean category?'],
  [['run', '--local', example, '--teacher', 'dalle'], 3, 'sdxl'],
  [['plan', join(example, 'nowhere')], 2, 'FolderMissing'],
  [['check', join(example, 'nowhere')], 2, 'FolderMissing'],
  [['bake'], 2, 'unknown command'],
] as const)('%j ends with code %d and prints %s', async (args, code, text) => {
  const ended = await call(...args);
  expect({ code: ended.code, prints: ended.err.includes(text), err: ended.err }).toMatchObject({
    code,
    prints: true,
  });
  expect(ended.err).not.toMatch(/\n\s+at /);
});

test('plan and check print JSON on request', async () => {
  const plan = await call('plan', example, '--json');
  expect(JSON.parse(plan.out)).toMatchObject({ subject: 'toy', models: { teacher: { id: 'sdxl' } } });
  const check = await call('check', join(example, 'photos'), '--json');
  expect(check.code).toBe(0);
  expect(JSON.parse(check.out)).toHaveLength(5);
  expect(JSON.parse(check.out)[0]).toMatchObject({ verdict: 'accept', findings: [] });
});
