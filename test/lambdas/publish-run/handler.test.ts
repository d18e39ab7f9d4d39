/** Publishing: the artifact of a real evaluation job becomes the report, with what the run really took. */
import { handler as planRun } from '../../../lambdas/plan-run/handler.ts';
import { handler } from '../../../lambdas/publish-run/handler.ts';
import { listKeys } from '../../../lib/aws/s3.ts';
import { finishJob, finishRun, listJobs, readRun } from '../../../lib/aws/table.ts';
import { metrics as metricsSchema } from '../../../lib/core/contract/metrics.ts';
import { names } from '../../../lib/core/contract/names.ts';
import { STAGES_SLOT } from '../../../lib/core/jobs/report-stages.ts';
import { keys } from '../../../lib/core/keys.ts';
import { STANDARD_STAGES } from '../../../lib/core/words.ts';
import { METRICS } from '../../core/example-metrics.ts';
import { Bench, BUCKET, REQUEST } from '../bench.ts';
import { recordJob } from '../jobs.ts';

const FILES = {
  'index.html': `<html><table>${STAGES_SLOT}</table><p>Costs $& and $1</p><code>jobs/<!-- proxytune:job:teach -->/output</code></html>`,
  'metrics.json': JSON.stringify(METRICS),
  'metrics.csv': 'row,clip_i\n',
  'style.css': 'body {}',
  'images/été 1%2B1.png': 'a picture',
  'images/proxies.jpg': 'a sheet',
  'notes.bin': 'bytes',
};

/** Those of a run that asks for no more. */
const STAGES = STANDARD_STAGES;

let bench: Bench;
let runId: string;

beforeAll(async () => {
  bench = await Bench.start();
  const advanced = { ...REQUEST.advanced, teach: { priorPictures: 3 } };
  runId = await bench.plan('rex', { ...REQUEST, advanced, notify: 'owner@example.com' });
  await bench.put(keys.drawnClass(runId), 'drawn by this run');
  for (const stage of ['teach', 'learn'] as const)
    await bench.put(`${keys.losses(runId, stage)}${names.files.losses}`, '{}');
  bench.control(`proxytune-${runId}-evaluate-a1`, { files: FILES });
  await recordFailedAttempt();
  for (const stage of STAGES) await bench.finish(runId, stage);
}, 120_000);
afterAll(() => bench?.close(), 30_000);

/** A first attempt at teaching that took an hour and came to nothing. */
async function recordFailedAttempt(): Promise<void> {
  const identity = { run: runId, stage: 'teach', attempt: 1 } as const;
  await recordJob(bench.context, identity);
  await finishJob(bench.context, identity, {
    state: 'FAILED',
    reported: true,
    seconds: 3600,
    usd: 0.115,
    error: 'ServiceFault',
  });
}

test('a topic that refuses the mail leaves a warning, and the run has succeeded; the next call sends it', async () => {
  const topic = process.env.TOPIC_ARN;
  process.env.TOPIC_ARN = `${topic}-gone`;
  try {
    expect(await handler({ runId })).toMatchObject({ runId });
  } finally {
    process.env.TOPIC_ARN = topic;
  }
  const run = await readRun(bench.context, runId);
  expect(run).toMatchObject({
    status: 'SUCCEEDED',
    warning: expect.stringMatching(/^The end could not be published, .*NotFound/),
  });
  expect(run).not.toHaveProperty('reported');
});

test('the report is where the user looks for it, complete, with content types and the stages', async () => {
  const result = await handler({ runId });
  const page = keys.reportPage(runId);
  expect(result).toEqual({ runId, report: `s3://${BUCKET}/${page}`, usd: expect.any(Number) });
  const folder = keys.report(runId);
  expect(await listKeys(bench.context, folder)).toEqual(
    Object.keys(FILES)
      .map((file) => folder + file)
      .sort(),
  );
  const type = async (file: string) => (await bench.get(folder + file)).type;
  expect(await type('index.html')).toBe('text/html; charset=utf-8');
  expect(await type('metrics.json')).toBe('application/json');
  expect(await type('metrics.csv')).toBe('text/csv; charset=utf-8');
  expect(await type('style.css')).toBe('text/css; charset=utf-8');
  expect(await type('images/été 1%2B1.png')).toBe('image/png');
  expect(await type('images/proxies.jpg')).toBe('image/jpeg');
  expect(await type('notes.bin')).toBe('application/octet-stream');
  expect((await bench.get(`${folder}images/été 1%2B1.png`)).text).toBe('a picture');

  const jobs = await listJobs(bench.context, runId);
  const html = (await bench.get(page)).text;
  expect(html).not.toContain(STAGES_SLOT);
  expect(html).toContain('<p>Costs $& and $1</p>');
  // The attempt that came to nothing made no adapter.
  expect(html).toContain(`<code>jobs/proxytune-${runId}-teach-a2/output</code>`);
  const secondsOf = (stage: string) =>
    jobs.filter((job) => job.stage === stage).reduce((sum, job) => sum + (job.seconds ?? 0), 0);
  for (const stage of STAGES) {
    const attempts = stage === 'teach' ? 2 : 1;
    expect(html).toContain(
      `>${stage}</th><td>ml.m5.large</td><td>${attempts}</td><td>${secondsOf(stage)} s</td>`,
    );
  }
  expect(secondsOf('teach')).toBeGreaterThan(3600);

  const metrics = metricsSchema.parse(JSON.parse((await bench.get(keys.metrics(runId))).text));
  expect(metrics).toMatchObject({ verdict: METRICS.verdict, rows: METRICS.rows });
  expect(metrics.stages.map(({ stage }) => stage)).toEqual(STAGES);
  expect(metrics.stages.map(({ seconds }) => seconds)).toEqual(STAGES.map(secondsOf));
  expect(result.usd).toBeCloseTo(
    jobs.reduce((sum, job) => sum + (job.usd ?? 0), 0),
    4,
  );
  expect(result.usd).toBeGreaterThanOrEqual(0.115);
  expect(await readRun(bench.context, runId)).toMatchObject({
    status: 'SUCCEEDED',
    reported: true,
    ...pick(result),
  });
  expect(await bench.notices(runId)).toEqual([
    {
      subject: 'Proxytune: rex is ready',
      text: expect.stringContaining(METRICS.verdict),
      attributes: { run: runId, status: 'SUCCEEDED', notify: 'owner@example.com' },
    },
  ]);
});

test('class images of the teacher are shared, and not replaced by another run’s', async () => {
  const content = await bench.putModel('sdxl-tiny');
  const shared = `class-images/sdxl-tiny/${content}/a-dog/64px-6-steps-guidance-3-3/images.tar`;
  expect(await bench.get(shared)).toEqual({ text: 'drawn by this run', type: 'application/x-tar' });
  await bench.put(shared, 'shared by another run');
  await handler({ runId });
  expect((await bench.get(shared)).text).toBe('shared by another run');
  // What this run has drawn after that, it drew because that was of no use. A bucket's times are whole seconds.
  await new Promise((done) => setTimeout(done, 1100));
  await bench.put(keys.drawnClass(runId), 'generated again');
  await handler({ runId });
  expect((await bench.get(shared)).text).toBe('generated again');
});

test('a repeat changes nothing and notifies nobody again', async () => {
  const before = await Promise.all(
    (await listKeys(bench.context, keys.report(runId))).map((key) => bench.get(key)),
  );
  const run = await readRun(bench.context, runId);
  expect(await handler({ runId })).toEqual({ runId, report: run?.report, usd: run?.usd });
  expect(
    await Promise.all((await listKeys(bench.context, keys.report(runId))).map((key) => bench.get(key))),
  ).toEqual(before);
  expect(await readRun(bench.context, runId)).toEqual(run);
  expect(await bench.notices(runId)).toHaveLength(1);
});

test('a run that was not evaluated is not published', async () => {
  const run = await bench.plan('early');
  await expect(handler({ runId: run })).rejects.toThrow('published before it was evaluated');
  expect(await listKeys(bench.context, keys.report(run))).toEqual([]);
});

test('metrics that do not fit their schema are not published', async () => {
  const broken = `${keys.jobs(runId)}proxytune-${runId}-evaluate-a1/output/model/`;
  await bench.put(`${broken}metrics.json`, JSON.stringify({ ...METRICS, rows: [] }));
  const before = (await bench.get(keys.metrics(runId))).text;
  await expect(handler({ runId })).rejects.toMatchObject({ name: 'ZodError' });
  expect((await bench.get(keys.metrics(runId))).text).toBe(before);
  await bench.put(`${broken}metrics.json`, JSON.stringify(METRICS));
});

test('a run that was stopped at the last moment stays stopped, and is not reported as ready', async () => {
  const input = await bench.upload('rex', { ...REQUEST, seed: 1 });
  await planRun({ ...input, runId });
  await finishRun(bench.context, runId, {
    status: 'STOPPED',
    endedAt: new Date().toISOString(),
    message: 'by hand',
  });
  await handler({ runId });
  expect(await readRun(bench.context, runId)).toMatchObject({ status: 'STOPPED', message: 'by hand' });
  expect(await bench.notices(runId)).toHaveLength(1);
});

const pick = ({ report, usd }: { report: string; usd: number }) => ({ report, usd });
