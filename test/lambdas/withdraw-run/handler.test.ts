/** Deleted requests against a real Step Functions service; nothing else is called. */
import { DescribeExecutionCommand, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { handler } from '../../../lambdas/withdraw-run/handler.ts';
import { sfn } from '../../../lib/aws/clients.ts';
import { Harness, machine } from '../../local/states/harness.ts';

const states = new Harness();
let stateMachineArn: string;

beforeAll(async () => {
  await states.open();
  stateMachineArn = await states.create(machine({ Wait: { Type: 'Wait', Seconds: 100, End: true } }));
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_SFN: states.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    STATE_MACHINE_ARN: stateMachineArn,
  });
});

afterAll(async () => {
  sfn().destroy();
  await states.close();
});

/** Starts the run of an upload. @returns its ARN, and when it started */
async function start(subject: string, version: string): Promise<{ arn: string; startedAt: Date }> {
  const name = `${subject}-${version}`;
  const key = `subjects/${subject}/subject.json`;
  const input = JSON.stringify({ runId: name, bucket: 'photos', subject, key, version });
  const { executionArn: arn = '' } = await states.sfn.send(
    new StartExecutionCommand({ stateMachineArn, name, input }),
  );
  const { startDate = new Date() } = await describe(arn);
  return { arn, startedAt: startDate };
}

const describe = (executionArn: string) => states.sfn.send(new DescribeExecutionCommand({ executionArn }));

/** As S3 says through EventBridge that an object was deleted, at a time. */
function deleted(key: string, at: Date, version?: string): Parameters<typeof handler>[0] {
  return {
    version: '0',
    id: 'delivery-1',
    'detail-type': 'Object Deleted',
    source: 'aws.s3',
    account: '000000000000',
    time: `${at.toISOString().slice(0, 19)}Z`,
    region: 'us-east-1',
    resources: ['arn:aws:s3:::photos'],
    detail: {
      bucket: { name: 'photos' },
      object: { key, 'version-id': version ?? 'marker' },
      'deletion-type': version === undefined ? 'Delete Marker Created' : 'Permanently Deleted',
      reason: 'DeleteObject',
    },
  };
}

test('a deletion stops the runs of the subject, with the reason, and no other one', async () => {
  const [first, second] = [await start('rex', 'v1'), await start('rex', 'v2')];
  const other = await start('rexy', 'v1');
  const { stopped } = await handler(deleted('subjects/rex/subject.json', second.startedAt));
  expect(stopped.sort()).toEqual(['rex-v1', 'rex-v2']);
  for (const { arn } of [first, second]) {
    expect(await describe(arn)).toMatchObject({
      status: 'ABORTED',
      error: 'Interrupted',
      cause: expect.stringMatching(/^Its subject\.json was deleted during the run\. What to do: /),
    });
  }
  expect(await describe(other.arn)).toMatchObject({ status: 'RUNNING' });
  // Delivered again.
  expect(await handler(deleted('subjects/rex/subject.json', second.startedAt))).toEqual({ stopped: [] });
});

test('a late event does not stop the run of a later upload', async () => {
  const { arn, startedAt } = await start('late', 'v2');
  const before = new Date(startedAt.getTime() - 1000);
  expect(await handler(deleted('subjects/late/subject.json', before))).toEqual({ stopped: [] });
  expect(await describe(arn)).toMatchObject({ status: 'RUNNING' });
});

test('the deletion of a version stops the run of that version only', async () => {
  const { startedAt } = await start('old', 'v1');
  await start('old', 'v2');
  const later = new Date(startedAt.getTime() + 60_000);
  const key = 'subjects/old/subject.json';
  // Such as an old version, which a lifecycle rule deletes after a month.
  expect(await handler(deleted(key, later, 'v0'))).toEqual({ stopped: [] });
  expect(await handler(deleted(key, later, 'v1'))).toEqual({ stopped: ['old-v1'] });
});

test('a subject.json among the photos is none', async () => {
  const { startedAt } = await start('deep', 'v1');
  const key = 'subjects/deep/photos/subject.json';
  expect(await handler(deleted(key, startedAt))).toEqual({ stopped: [] });
});
