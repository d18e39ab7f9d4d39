/** How a training job ends: failures, stops, limits and interruptions. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StopTrainingJobCommand } from '@aws-sdk/client-sagemaker';
import { outcomeOf } from '../../../lib/core/jobs/outcome.ts';
import { Bench, BUCKET, until } from './support.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
  await bench.startService({ containerEnv: { OMP_NUM_THREADS: '1' }, maxConcurrentJobs: 4 });
}, 60_000);
afterAll(() => bench.close(), 30_000);

/** A request for an `action` of the fixture container, with checkpoints mirrored to the job's own prefix. */
const act = (name: string, action: string, settings: Record<string, string> = {}) => ({
  HyperParameters: { action, ...settings },
  CheckpointConfig: { S3Uri: `s3://${BUCKET}/checkpoints/${name}` },
});

const SPOT = {
  EnableManagedSpotTraining: true,
  StoppingCondition: { MaxRuntimeInSeconds: 60, MaxWaitTimeInSeconds: 60 },
};

test("a crash fails the job with the container's message and exit code", async () => {
  await bench.createTraining('crash', act('crash', 'crash'));
  const job = await bench.trainingEnd('crash');
  const reason = 'AlgorithmError: TeacherDiverged: loss is NaN at step 7, exit code: 3';
  expect(job).toMatchObject({
    TrainingJobStatus: 'Failed',
    SecondaryStatus: 'Failed',
    FailureReason: reason,
  });
  const last = bench.events.filter((event) => event.Detail.TrainingJobName === 'crash').at(-1);
  expect(last?.Detail).toMatchObject({ TrainingJobStatus: 'Failed', FailureReason: reason });
  expect(await bench.keys('out/crash/')).toEqual([]);
  expect(await bench.keys('checkpoints/crash')).toEqual([]);
});

test('a container that was killed is reported by its exit code, and is out of memory', async () => {
  await bench.createTraining('killed', act('killed', 'killed'));
  const job = await bench.trainingEnd('killed');
  expect(job.FailureReason).toBe('AlgorithmError: See job logs for more information, exit code: 137');
  expect(outcomeOf(job)).toMatchObject({ over: true, error: 'OutOfMemory' });
});

test('on spot fewer seconds are billed than trained, on demand all of them', async () => {
  await bench.createTraining('saved', { ...act('saved', 'report'), ...SPOT });
  const saved = await bench.trainingEnd('saved');
  expect(saved.BillableTimeInSeconds).toBeGreaterThan(0);
  expect(saved.BillableTimeInSeconds).toBeLessThan(saved.TrainingTimeInSeconds ?? 0);
  const { BillableTimeInSeconds, TrainingTimeInSeconds } = await bench.describeTraining('killed');
  expect(BillableTimeInSeconds).toBe(TrainingTimeInSeconds);
});

test('a stopped job keeps its model and checkpoints, even if it must be killed', async () => {
  await bench.createTraining('stubborn', act('stubborn', 'hang', { stubborn: 'true' }));
  await until('it is up', async () => (await bench.keys('checkpoints/stubborn/')).length > 0);
  await bench.client.send(new StopTrainingJobCommand({ TrainingJobName: 'stubborn' }));
  expect((await bench.describeTraining('stubborn')).TrainingJobStatus).toBe('Stopping');
  const job = await bench.trainingEnd('stubborn');
  expect(job).toMatchObject({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'Stopped' });
  expect(await bench.keys('out/stubborn/')).toEqual(['out/stubborn/output/model.tar.gz']);
  expect(await bench.keys('checkpoints/stubborn/')).toEqual(['checkpoints/stubborn/pid.txt']);
  await expect(
    bench.client.send(new StopTrainingJobCommand({ TrainingJobName: 'stubborn' })),
  ).rejects.toMatchObject({
    name: 'ValidationException',
    message: expect.stringContaining('in status Stopped'),
  });
});

test('MaxRuntimeInSeconds ends a job as Stopped with MaxRuntimeExceeded', async () => {
  await bench.createTraining('long', {
    ...act('long', 'hang'),
    StoppingCondition: { MaxRuntimeInSeconds: 1 },
  });
  const job = await bench.trainingEnd('long');
  expect(job).toMatchObject({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'MaxRuntimeExceeded' });
  expect(job.ModelArtifacts?.S3ModelArtifacts).toBeDefined();
});

test('a test can make a job reach that limit; its checkpoints stay for the next one', async () => {
  const request = act('late', 'steps', { steps: '14', pause: '0.25' });
  await bench.createTraining('late', request);
  await until('a step is mirrored', async () =>
    (await bench.keys('checkpoints/late/')).includes('checkpoints/late/step.json'),
  );
  await bench.service.faults.exceedRuntime('late');
  const job = await bench.trainingEnd('late');
  expect(job).toMatchObject({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'MaxRuntimeExceeded' });
  await expect(bench.service.faults.exceedRuntime('late')).rejects.toThrow('only a job that is Training');
  await expect(bench.service.faults.exceedRuntime('nobody')).rejects.toThrow(
    'has not started a training job nobody',
  );
  await bench.createTraining('late-2', {
    ...request,
    HyperParameters: { action: 'steps', steps: '14', pause: '0' },
  });
  expect(await bench.trainingEnd('late-2')).toMatchObject({ TrainingJobStatus: 'Completed' });
  const { began } = await bench.unpacked('out/late-2/output/model.tar.gz', async (folder) =>
    JSON.parse(await readFile(join(folder, 'result.json'), 'utf8')),
  );
  expect(began).toBeGreaterThanOrEqual(1);
});

test('an interrupted spot job restarts in a new folder from its mirrored checkpoint', async () => {
  await bench.createTraining('spot', { ...act('spot', 'steps', { steps: '14', pause: '0.25' }), ...SPOT });
  // Step 9 deletes a file that was mirrored and restored before; it must be deleted in S3 too.
  const passing = 'checkpoints/spot/passing.txt';
  await until('the passing file is mirrored', async () =>
    (await bench.keys('checkpoints/spot/')).includes(passing),
  );
  const step = async () => JSON.parse((await bench.get('checkpoints/spot/step.json')).toString()).step;
  await until('three steps are mirrored', () =>
    step().then(
      (at) => at >= 3,
      () => false,
    ),
  );
  await bench.service.faults.interrupt('spot', 0);
  const job = await bench.trainingEnd('spot');
  expect(job.FailureReason).toBeUndefined();
  expect(job.TrainingJobStatus).toBe('Completed');
  expect(bench.trainingStatuses('spot')).toEqual([
    ...['Starting', 'Downloading', 'Training', 'Interrupted', 'Restarting'],
    ...['Downloading', 'Training', 'Uploading', 'Completed'],
  ]);
  const result = await bench.unpacked('out/spot/output/model.tar.gz', async (folder) =>
    JSON.parse(await readFile(join(folder, 'result.json'), 'utf8')),
  );
  expect(result.began).toBeGreaterThanOrEqual(3);
  expect(await bench.keys('checkpoints/spot/')).toEqual(['checkpoints/spot/step.json']);
});

describe('a job of two instances', () => {
  const TWO = {
    ResourceConfig: { InstanceType: 'ml.g5.xlarge', InstanceCount: 2, VolumeSizeInGB: 30 },
  } as const;

  test('shares its checkpoints, and after an interruption each instance has those of all', async () => {
    await bench.createTraining('pair', { ...act('pair', 'share'), ...SPOT, ...TWO });
    const both = ['checkpoints/pair/algo-1.json', 'checkpoints/pair/algo-2.json'];
    await until('both are mirrored', async () => (await bench.keys('checkpoints/pair/')).length === 2);
    expect(await bench.keys('checkpoints/pair/')).toEqual(both);
    await bench.service.faults.interrupt('pair', 0);
    expect(await bench.trainingEnd('pair')).toMatchObject({ TrainingJobStatus: 'Completed' });
    for (const key of both)
      expect(JSON.parse((await bench.get(key)).toString())).toEqual({
        hosts: ['algo-1', 'algo-2'],
        found: ['algo-1.json', 'algo-2.json'],
      });
    const host = await bench.unpacked('out/pair/output/model.tar.gz', (folder) =>
      readFile(join(folder, 'host.txt'), 'utf8'),
    );
    expect(host).toBe('algo-1');
  });

  test('fails if one of them does, with its message, and the other ends', async () => {
    await bench.createTraining('half', { ...act('half', 'share', { crashes: 'algo-2' }), ...TWO });
    expect(await bench.trainingEnd('half')).toMatchObject({
      TrainingJobStatus: 'Failed',
      FailureReason: 'AlgorithmError: TeacherDiverged: loss is NaN at step 7, exit code: 3',
    });
  });
});

test('an on-demand job or an unknown job cannot be interrupted', async () => {
  await bench.createTraining('on-demand');
  await expect(bench.service.faults.interrupt('on-demand')).rejects.toThrow('not a managed spot job');
  await expect(bench.service.faults.interrupt('nobody')).rejects.toThrow(
    'has not started a training job nobody',
  );
  await bench.trainingEnd('on-demand');
});
