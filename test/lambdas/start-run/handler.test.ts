/** The ready signal against a real Step Functions service; nothing else is called. */
import { DescribeExecutionCommand, ListExecutionsCommand } from '@aws-sdk/client-sfn';
import { handler } from '../../../lambdas/start-run/handler.ts';
import { sfn } from '../../../lib/aws/clients.ts';
import { Harness, machine } from '../../local/states/harness.ts';

type ObjectCreated = Parameters<typeof handler>[0];

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

/** As S3 says it through EventBridge; every delivery has its own id and time. */
function uploaded(
  key: string,
  version: { 'version-id'?: string; etag?: string; size?: number },
  delivery = 1,
): ObjectCreated {
  return {
    version: '0',
    id: `delivery-${delivery}`,
    'detail-type': 'Object Created',
    source: 'aws.s3',
    account: '000000000000',
    time: new Date(Date.UTC(2026, 10, 25, 12, delivery)).toISOString(),
    region: 'us-east-1',
    resources: ['arn:aws:s3:::photos'],
    detail: { bucket: { name: 'photos' }, object: { key, ...version } },
  };
}

async function executions(): Promise<string[]> {
  const { executions: found = [] } = await states.sfn.send(new ListExecutionsCommand({ stateMachineArn }));
  return found.map(({ name = '' }) => name).sort();
}

test('an upload whose event is delivered three times, at once, starts one run', async () => {
  const deliveries = [1, 2, 3].map((delivery) =>
    handler(uploaded('subjects/rex/subject.json', { 'version-id': 'v1', etag: 'e' }, delivery)),
  );
  const [first, ...others] = await Promise.all(deliveries);
  for (const other of others) expect(other).toEqual(first);
  expect(await executions()).toEqual([first?.runId]);
  const executionArn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${first?.runId}`;
  const { input = '' } = await states.sfn.send(new DescribeExecutionCommand({ executionArn }));
  expect(JSON.parse(input)).toEqual({
    runId: first?.runId,
    bucket: 'photos',
    subject: 'rex',
    key: 'subjects/rex/subject.json',
    version: 'v1',
  });
});

test('a repeat that comes after the run has ended starts nothing', async () => {
  const event = uploaded('subjects/bello/subject.json', { 'version-id': 'v1' });
  const { runId } = await handler(event);
  const before = await executions();
  await states.clock.advance(100);
  expect(await handler(event)).toEqual({ runId });
  expect(await executions()).toEqual(before);
});

test('another version of the same file is another run', async () => {
  const key = 'subjects/lassie/subject.json';
  const { runId: first } = await handler(uploaded(key, { 'version-id': 'v1' }));
  const { runId: second } = await handler(uploaded(key, { 'version-id': 'v2' }));
  expect(second).not.toBe(first);
  expect(await executions()).toEqual(expect.arrayContaining([first, second]));
});

test('without versions the content distinguishes uploads', async () => {
  const key = 'subjects/snoopy/subject.json';
  const { runId: first } = await handler(uploaded(key, { etag: 'a' }));
  expect(await handler(uploaded(key, { etag: 'a' }, 2))).toEqual({ runId: first });
  expect((await handler(uploaded(key, { etag: 'b' }))).runId).not.toBe(first);
});

test("a subject.json among the photos starts nothing: the rule's `*` also matches a slash, so it does arrive", async () => {
  const before = await executions();
  const key = 'subjects/rex/photos/subject.json';
  expect(await handler(uploaded(key, { 'version-id': 'v1' }))).toEqual({ runId: null });
  expect(await executions()).toEqual(before);
});

test('an empty file starts nothing, and the full one that follows is one run', async () => {
  const before = await executions();
  const key = 'subjects/filled/subject.json';
  expect(await handler(uploaded(key, { 'version-id': 'v1', size: 0 }))).toEqual({ runId: null });
  expect(await executions()).toEqual(before);
  const { runId } = await handler(uploaded(key, { 'version-id': 'v2', size: 40 }));
  expect(await executions()).toEqual([...before, runId].sort());
});

test.each(['Subject.json', 'subject.json.txt', 'SUBJECT.JSON', 'subject'])(
  'a file called %s starts a run, as only a run can notify its author of the name',
  async (name) => {
    const { runId } = await handler(uploaded(`subjects/typo/${name}`, { 'version-id': 'v1', size: 40 }));
    expect(runId).toMatch(/^typo-[0-9a-f]{8}$/);
    expect(await executions()).toContain(runId);
    expect(await handler(uploaded(`subjects/typo/photos/${name}`, { 'version-id': 'v1', size: 40 }))).toEqual(
      {
        runId: null,
      },
    );
  },
);

test('a folder whose name cannot be used starts a run, as only a run can notify its author', async () => {
  const { runId } = await handler(uploaded('subjects/my dog/subject.json', { 'version-id': 'v1' }));
  expect(runId).toMatch(/^my-dog-[0-9a-f]{8}$/);
  expect(await executions()).toContain(runId);
});

test('a missing state machine is an error, not a run', async () => {
  process.env.STATE_MACHINE_ARN = stateMachineArn.replace(/[^:]+$/, 'none');
  await expect(handler(uploaded('subjects/rex/subject.json', { 'version-id': 'v9' }))).rejects.toMatchObject({
    name: 'StateMachineDoesNotExist',
  });
  process.env.STATE_MACHINE_ARN = stateMachineArn;
});
