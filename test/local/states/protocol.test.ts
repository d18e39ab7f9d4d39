import { ListActivitiesCommand, SendTaskSuccessCommand } from '@aws-sdk/client-sfn';
import { Harness, until } from './harness.ts';

let cloud: Harness;

beforeEach(async () => {
  cloud = await new Harness().open();
});
afterEach(() => cloud.close());

describe('status changes', () => {
  it('are published in the format of EventBridge', async () => {
    const executionArn = await cloud.start({ F: { Type: 'Fail', Error: 'No', Cause: 'because' } }, { a: 1 });
    await cloud.ended(executionArn);
    await until(() => cloud.events.length === 2);
    expect(cloud.events.map(({ detail }) => detail.status)).toEqual(['RUNNING', 'FAILED']);
    const time = cloud.clock.now();
    expect(cloud.events[1]).toMatchObject({
      version: '0',
      source: 'aws.states',
      'detail-type': 'Step Functions Execution Status Change',
      account: '000000000000',
      region: 'us-east-1',
      time: '2026-01-01T00:00:00Z',
      resources: [executionArn],
      detail: {
        executionArn,
        name: 'one',
        status: 'FAILED',
        startDate: time,
        stopDate: time,
        input: '{"a":1}',
        output: null,
        error: 'No',
        cause: 'because',
      },
    });
  });

  it('that cannot be published are logged and have no other effect', async () => {
    const other = await new Harness(
      {},
      {
        onStatusChange: () => {
          throw new Error('the bus is down');
        },
      },
    ).open();
    try {
      expect(await other.output({ A: { Type: 'Pass', Output: 1, End: true } })).toBe(1);
      await until(() => other.log.filter((line) => line.includes('the bus is down')).length === 2);
    } finally {
      await other.close();
    }
  });
});

describe('the protocol', () => {
  const post = (target: string, body: string): Promise<Response> =>
    fetch(cloud.endpoint, {
      method: 'POST',
      headers: { 'x-amz-target': target, 'content-type': 'application/x-amz-json-1.0' },
      body,
    });

  it('listens on 127.0.0.1 only', () => {
    expect(cloud.endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('uses AWS JSON 1.0', async () => {
    const response = await post('AWSStepFunctions.ListStateMachines', '{}');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/x-amz-json-1.0');
    expect(await response.json()).toEqual({ stateMachines: [] });
  });

  it.each([
    ['AWSStepFunctions.ListStateMachines', '{', 'SerializationException'],
    ['AWSStepFunctions.ListStateMachines', '[]', 'SerializationException'],
    ['AWSStepFunctions.ListStateMachines', '{"maxResults":-1}', 'ValidationException'],
    ['AWSStepFunctions.ListStateMachines', '{"nextToken":"x"}', 'ValidationException'],
    ['AWSStepFunctions.ListStateMachines', 'null', 'SerializationException'],
    ['AWSStepFunctions.constructor', '{}', 'UnknownOperationException'],
    ['AWSStepFunctions.__proto__', '{}', 'UnknownOperationException'],
    ['AWSStepFunctions.toString', '{}', 'UnknownOperationException'],
    ['DynamoDB.ListTables', '{}', 'UnknownOperationException'],
    ['AWSStepFunctions.SendTaskHeartbeat', '{}', 'ValidationException'],
  ])('rejects %s with %s: %s', async (target, body, type) => {
    const response = await post(target, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ __type: type });
  });

  it('reports an unknown operation', async () => {
    await expect(cloud.sfn.send(new ListActivitiesCommand({}))).rejects.toMatchObject({
      name: 'UnknownOperationException',
    });
  });

  it('checks the length of a token', async () => {
    await expect(
      cloud.sfn.send(new SendTaskSuccessCommand({ taskToken: 'x'.repeat(2049), output: '1' })),
    ).rejects.toMatchObject({ name: 'ValidationException' });
  });
});
