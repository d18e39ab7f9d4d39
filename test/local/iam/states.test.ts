/** Our Step Functions asks for the permissions that AWS's asks for, of the caller and of the machine's role. */

import { LambdaClient } from '@aws-sdk/client-lambda';
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  SendTaskSuccessCommand,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { RoleClients } from '../../../lib/local/iam/role-clients.ts';
import { invocationError, invokeThrough } from '../../../lib/local/states/lambda.ts';
import { ACCOUNT, allow, errorOf, JudgingCloud, sentence } from './cloud.ts';

const ARN = `arn:aws:states:us-east-1:${ACCOUNT}`;
const DEFINITION = JSON.stringify({
  QueryLanguage: 'JSONata',
  StartAt: 'A',
  States: { A: { Type: 'Succeed' } },
});
const STATES = 'states.amazonaws.com';

let cloud: JudgingCloud;
beforeAll(async () => {
  cloud = await JudgingCloud.start();
}, 60_000);
afterAll(() => cloud.close());

const create = (name: string, roleArn: string, more: object = {}) =>
  new CreateStateMachineCommand({ name, definition: DEFINITION, roleArn, ...more });

/** A machine that exists, made by the account. */
async function machine(name: string): Promise<string> {
  const role = await cloud.role(`${name}-role`, STATES);
  const { stateMachineArn = '' } = await cloud.own.sfn.send(create(name, role));
  return stateMachineArn;
}

test('a machine is created only by who may pass its role to Step Functions', async () => {
  const role = await cloud.role('passed', STATES);
  const { sfn } = await cloud.as('creator', allow('states:CreateStateMachine', `${ARN}:stateMachine:*`));
  expect(await errorOf(sfn.send(create('m', role)))).toBe(
    `AccessDeniedException: ${sentence('creator', { action: 'iam:PassRole', resource: role })}`,
  );
});

test('a machine is not created with a role that does not trust Step Functions', async () => {
  const role = await cloud.role('of-lambda', 'lambda.amazonaws.com');
  expect(await errorOf(cloud.own.sfn.send(create('m', role)))).toMatch(
    /^AccessDeniedException: Neither the global service principal states\.amazonaws\.com, nor the regional one is authorized/,
  );
});

test('a machine with a log is not created unless its role may deliver it', async () => {
  const loggingConfiguration = {
    level: 'ERROR' as const,
    destinations: [
      { cloudWatchLogsLogGroup: { logGroupArn: `arn:aws:logs:us-east-1:${ACCOUNT}:log-group:g:*` } },
    ],
  };
  const silent = await cloud.role('silent', STATES);
  expect(await errorOf(cloud.own.sfn.send(create('logged', silent, { loggingConfiguration })))).toMatch(
    /^AccessDeniedException: The state machine IAM Role is not authorized to access the Log Destination \(.*logs:CreateLogDelivery/,
  );
  const logging = await cloud.role('logging', STATES, allow('logs:*'));
  expect(
    await errorOf(cloud.own.sfn.send(create('logged', logging, { loggingConfiguration }))),
  ).toBeUndefined();
});

test('executions are started on the machine, and read and stopped by their own ARN', async () => {
  const stateMachineArn = await machine('started');
  const other = await machine('other');
  const { sfn } = await cloud.as('starter', allow('states:StartExecution', stateMachineArn));
  const { executionArn = '' } = await sfn.send(new StartExecutionCommand({ stateMachineArn, name: 'one' }));
  const denied = { action: 'states:StartExecution', resource: other };
  expect(await errorOf(sfn.send(new StartExecutionCommand({ stateMachineArn: other })))).toBe(
    `AccessDeniedException: ${sentence('starter', denied)}`,
  );
  const { sfn: reader } = await cloud.as(
    'reader',
    allow('states:DescribeExecution', `${ARN}:execution:started:*`),
  );
  expect(await errorOf(reader.send(new DescribeExecutionCommand({ executionArn })))).toBeUndefined();
  const stop = { action: 'states:StopExecution', resource: executionArn };
  expect(await errorOf(reader.send(new StopExecutionCommand({ executionArn })))).toBe(
    `AccessDeniedException: ${sentence('reader', stop)}`,
  );
});

test('a task is completed by who may on the machine of its execution', async () => {
  const token = Buffer.from(JSON.stringify([`${ARN}:execution:waiting:one`, 'x'])).toString('base64url');
  const complete = (name: string, ...statements: object[]) =>
    cloud
      .as(name, ...statements)
      .then(({ sfn }) => errorOf(sfn.send(new SendTaskSuccessCommand({ taskToken: token, output: '{}' }))));
  const resource = `${ARN}:stateMachine:waiting`;
  const action = 'states:SendTaskSuccess';
  expect(await complete('stranger', allow(action, `${ARN}:stateMachine:other`))).toBe(
    `AccessDeniedException: ${sentence('stranger', { action, resource })}`,
  );
  // Allowed, so the service says what it knows of the token.
  expect(await complete('callback', allow(action, resource))).toMatch(/^TaskDoesNotExist/);
});

test("a function is invoked as the machine's role", async () => {
  const keysOf = new RoleClients(
    cloud.authorizer,
    'StepFunctions',
    (credentials) =>
      new LambdaClient({ region: 'us-east-1', endpoint: cloud.endpoint, credentials, maxAttempts: 1 }),
  );
  const roleArn = await cloud.role('powerless', STATES);
  const source = `${ARN}:stateMachine:m`;
  const call = invokeThrough(() => keysOf.of({ service: STATES, role: roleArn, source }))({
    functionName: 'f',
    payload: '{}',
    signal: new AbortController().signal,
    roleArn,
    stateMachineArn: source,
  });
  const failure = await call.then(() => undefined, invocationError);
  expect(failure).toMatchObject({ error: 'Lambda.AWSLambdaException' });
  expect(failure?.reason).toContain(
    'assumed-role/powerless/StepFunctions is not authorized to perform: lambda:InvokeFunction',
  );
});

test('a request without a signature is refused', async () => {
  const response = await fetch(cloud.statesEndpoint, {
    method: 'POST',
    headers: { 'x-amz-target': 'AWSStepFunctions.ListStateMachines' },
    body: '{}',
  });
  expect(await response.json()).toMatchObject({ __type: 'MissingAuthenticationTokenException' });
});
