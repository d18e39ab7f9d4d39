import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CreateTrainingJobCommand,
  type CreateTrainingJobCommandInput,
  SageMakerClient,
  StopTrainingJobCommand,
} from '@aws-sdk/client-sagemaker';
import { alive, Bench, BUCKET, trainingRequest, until } from './support.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 60_000);
afterAll(() => bench.close(), 30_000);

function hanging(name: string, changes: Partial<CreateTrainingJobCommandInput> = {}) {
  return new CreateTrainingJobCommand(
    trainingRequest(name, {
      HyperParameters: { action: 'hang', child: 'true', stubborn: 'true' },
      CheckpointConfig: { S3Uri: `s3://${BUCKET}/checkpoints/${name}` },
      ...changes,
    }),
  );
}

/** The process of the job, and its child process. */
async function pidsOf(name: string): Promise<number[]> {
  const keys = [`checkpoints/${name}/child.txt`, `checkpoints/${name}/pid.txt`];
  await until(
    `${name} has written its pids`,
    async () => (await bench.keys(`checkpoints/${name}/`)).length === 2,
  );
  return Promise.all(keys.map(async (key) => Number((await bench.get(key)).toString())));
}

test('closing ends every process; the next service fails the job', async () => {
  const service = await bench.startService();
  // The process handles SIGTERM; its child gets no signal and must end too.
  await bench.client.send(hanging('closed', { HyperParameters: { action: 'hang', child: 'true' } }));
  const pids = await pidsOf('closed');
  expect(pids.map(alive)).toEqual([true, true]);
  await service.close();
  await until('all processes are gone', () => !pids.some(alive));
  await expect(bench.describeTraining('closed')).rejects.toThrow();

  bench.events.length = 0;
  await bench.startService();
  const job = await bench.describeTraining('closed');
  expect(job).toMatchObject({
    TrainingJobStatus: 'Failed',
    FailureReason: expect.stringMatching(/^InternalServerError: /),
    HyperParameters: { action: 'hang', child: 'true' },
  });
  expect(bench.events.map(({ Detail }) => Detail.TrainingJobStatus)).toEqual(['Failed']);
  expect(existsSync(join(bench.dataDir, 'jobs/closed/root'))).toBe(false);
  await bench.service.close();
});

test('containers end within seconds after the service is killed', async () => {
  const { putEvent, ...options } = bench.serviceOptions({ dataDir: join(bench.folder, 'killed') });
  const script = fileURLToPath(new URL('./fixtures/service-process.ts', import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  const client = new SageMakerClient({
    endpoint: String(line).trim(),
    region: options.s3.region,
    credentials: options.s3.credentials,
  });
  await client.send(hanging('killed'));
  const pids = await pidsOf('killed');
  expect(pids.map(alive)).toEqual([true, true]);
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  await until('all processes are gone', () => !pids.some(alive), 5);
});

test('jobs beyond maxConcurrentJobs wait, and can be stopped or time out while waiting', async () => {
  await bench.startService({ maxConcurrentJobs: 1 });
  await bench.client.send(hanging('first'));
  await bench.client.send(hanging('second'));
  const spot = { MaxRuntimeInSeconds: 1, MaxWaitTimeInSeconds: 1 };
  await bench.client.send(hanging('third', { EnableManagedSpotTraining: true, StoppingCondition: spot }));
  await bench.createTraining('fourth');
  await pidsOf('first');
  expect((await bench.describeTraining('second')).SecondaryStatus).toBe('Starting');
  await bench.client.send(new StopTrainingJobCommand({ TrainingJobName: 'second' }));
  const second = await bench.trainingEnd('second');
  expect(second).toMatchObject({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'Stopped' });
  expect(second.ModelArtifacts).toBeUndefined();
  expect(second.TrainingStartTime).toBeUndefined();
  const third = await bench.trainingEnd('third');
  expect(third).toMatchObject({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'MaxWaitTimeExceeded' });
  expect((await bench.describeTraining('fourth')).SecondaryStatus).toBe('Starting');
  await bench.client.send(new StopTrainingJobCommand({ TrainingJobName: 'first' }));
  expect((await bench.trainingEnd('fourth')).TrainingJobStatus).toBe('Completed');
  await bench.service.close();
});

test('another process can inject faults over HTTP', async () => {
  await bench.startService();
  bench.events.length = 0;
  const faults = (body: object) =>
    fetch(bench.service.endpoint, {
      method: 'POST',
      headers: { 'X-Amz-Target': 'SageMaker.Faults', 'Content-Type': 'application/x-amz-json-1.1' },
      body: JSON.stringify(body),
    });
  expect((await faults({ DropEventsOf: 'silent', DuplicateEvents: 2 })).status).toBe(200);
  await bench.createTraining('silent');
  await bench.createTraining('doubled');
  await bench.trainingEnd('silent');
  await bench.trainingEnd('doubled');
  const seen = bench.events.map(({ Detail }) => `${Detail.TrainingJobName} ${Detail.SecondaryStatus}`);
  const walked = ['Starting', 'Downloading', 'Training', 'Uploading', 'Completed'].map((s) => `doubled ${s}`);
  expect(seen).toEqual(walked.flatMap((status) => [status, status]));
  for (const fault of ['Interrupt', 'ExceedRuntime']) {
    const rejected = await faults({ [fault]: { TrainingJobName: 'nobody' } });
    expect(rejected.status).toBe(500);
    expect(await rejected.text()).toContain('has not started a training job nobody');
  }
});
