/** Stored records of another shape are named errors, with the file and a remedy that helps; whole ones pass. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAddress, writeAddress } from '../../lib/local/address.ts';
import { FORMAT } from '../../lib/local/data-folder.ts';
import type {
  ModelRecord,
  TrainingRecord,
  TransformRecord,
} from '../../lib/local/sagemaker/state/records.ts';
import { openState } from '../../lib/local/sagemaker/state/store.ts';
import { type ExecutionRecord, type MachineRecord, Store } from '../../lib/local/states/store.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxytune-records-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const machine: MachineRecord = {
  stateMachineArn: 'arn:aws:states:us-east-1:000000000000:stateMachine:m',
  name: 'm',
  definition: '{}',
  roleArn: 'arn:aws:iam::000000000000:role/r',
  creationDate: 1,
  updateDate: 1,
  settings: {},
  tags: {},
};
const execution: ExecutionRecord = {
  executionArn: 'arn:aws:states:us-east-1:000000000000:execution:m:e',
  name: 'e',
  machine,
  status: 'SUCCEEDED',
  startDate: 1,
  stopDate: 2,
  input: '{}',
  output: '{}',
  events: [{ id: 1, previousEventId: 0, timestamp: 1, type: 'ExecutionStarted' }],
};
const job = { created: 1, modified: 1, status: 'Completed' as const, tags: [{ Key: 'a', Value: 'b' }] };
const training: TrainingRecord = {
  ...job,
  name: 'teach',
  arn: 'arn:aws:sagemaker:us-east-1:000000000000:training-job/teach',
  request: {
    TrainingJobName: 'teach',
    RoleArn: 'r',
    AlgorithmSpecification: { TrainingInputMode: 'File' },
    OutputDataConfig: { S3OutputPath: 's3://b/o' },
    ResourceConfig: {},
    StoppingCondition: {},
  },
  secondary: 'Completed',
  transitions: [{ status: 'Starting', start: 1, message: '' }],
};
const transform: TransformRecord = {
  ...job,
  name: 'draw',
  arn: 'arn:aws:sagemaker:us-east-1:000000000000:transform-job/draw',
  request: {
    TransformJobName: 'draw',
    ModelName: 'm',
    TransformInput: { DataSource: { S3DataSource: { S3DataType: 'S3Prefix', S3Uri: 's3://b/i' } } },
    TransformOutput: { S3OutputPath: 's3://b/o' },
    TransformResources: { InstanceType: 'ml.m5.xlarge', InstanceCount: 1 },
  },
};
const model: ModelRecord = {
  name: 'm',
  arn: 'arn:aws:sagemaker:us-east-1:000000000000:model/m',
  request: { ModelName: 'm' },
  created: 1,
  tags: [],
};

/** Each kind of record: its file, a whole one, and what reads it. */
const states = join(folder, 'states');
const sagemaker = join(folder, 'sagemaker');
const readStates = () => {
  const store = new Store(states);
  return [...store.machines(), ...store.executions()];
};
const readJobs = () => {
  const { trainingJobs, transformJobs, models } = openState(sagemaker);
  return [...trainingJobs.all(), ...transformJobs.all(), ...models.all()];
};
const KINDS: readonly (readonly [string, string, object, () => unknown[]])[] = [
  ['a state machine', join(states, 'machines/m.json'), machine, readStates],
  ['an execution', join(states, 'executions/m/e.json'), execution, readStates],
  ['a training job', join(sagemaker, 'state/training-jobs/teach.json'), training, readJobs],
  ['a transform job', join(sagemaker, 'state/transform-jobs/draw.json'), transform, readJobs],
  ['a model', join(sagemaker, 'state/models/m.json'), model, readJobs],
];

function write(file: string, content: string): void {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, content);
}

function failure(read: () => unknown): unknown {
  try {
    read();
  } catch (error) {
    return error;
  }
}

describe.each(KINDS)('%s', (_, file, record, read) => {
  afterEach(() => rmSync(file, { force: true }));
  const optional = ['stopDate', 'output'];
  const members = Object.keys(record).filter((name) => !optional.includes(name));

  test('that is whole is read with all its members, also unknown ones', () => {
    write(file, JSON.stringify({ ...record, later: 1 }));
    expect(read()).toEqual([{ ...record, later: 1 }]);
  });

  test.each(['', '{"name": "m', 'null', '{}', '[]', '1', '"text"'])(
    'in a file that has %j is named, and deleting the file helps',
    (content) => {
      write(file, content);
      expect(failure(read)).toMatchObject({
        name: 'LocalCloudFailed',
        facts: {
          given: expect.stringContaining(`${file}: `),
          remedy: expect.stringContaining('delete this file'),
        },
      });
      rmSync(file);
      expect(read()).toEqual([]);
    },
  );

  test.each(members)('without %s, or with another type there, is named with the member', (member) => {
    for (const value of [undefined, null, 7.5, [[]]]) {
      if (value === 7.5 && typeof (record as Record<string, unknown>)[member] === 'number') continue;
      write(file, JSON.stringify({ ...record, [member]: value }));
      expect(failure(read)).toMatchObject({
        name: 'LocalCloudFailed',
        facts: { given: expect.stringContaining(`${file}: ${member}`) },
      });
    }
  });
});

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux('a damaged address of a running cloud is named, with the process to end', () => {
  const start = readFileSync(`/proc/${process.ppid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19];
  write(join(folder, 'format'), FORMAT);
  write(join(folder, 'lock/1'), `${process.ppid} ${start}`);
  writeAddress(folder, { environment: { A: 'b' }, outputs: {} });
  expect(readAddress(folder)).toEqual({ environment: { A: 'b' }, outputs: {} });
  for (const content of [
    '',
    '{"environment": {',
    'null',
    '{}',
    '[]',
    '{"environment": {"A": 1}, "outputs": {}}',
  ]) {
    write(join(folder, 'cloud.json'), content);
    expect(failure(() => readAddress(folder))).toMatchObject({
      name: 'LocalCloudFailed',
      facts: {
        given: expect.stringContaining(join(folder, 'cloud.json')),
        remedy: expect.stringContaining(`process ${process.ppid}`),
      },
    });
  }
});
