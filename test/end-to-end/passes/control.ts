/** Watches and stops runs of a pass, and changes the records of their jobs. */
import { GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { StopExecutionCommand } from '@aws-sdk/client-sfn';
import { jobKey } from '../../../lib/core/jobs/records.ts';
import type { JobStage } from '../../../lib/core/words.ts';
import { type Ended, executionsOf, type TestCloud, until, untilOver } from '../pipeline.ts';

/** Waits until an upload has started its run. @returns the run's name */
export async function untilStarted(cloud: TestCloud, subject: string): Promise<string> {
  return until(async () => (await executionsOf(cloud, subject))[0]?.name);
}

/** Stops the execution of a run, as in the console. */
export async function stopRun(cloud: TestCloud, run: string): Promise<void> {
  const executionArn = `${cloud.machine.replace(':stateMachine:', ':execution:')}:${run}`;
  await cloud.sfn.send(new StopExecutionCommand({ executionArn }));
}

/** The key of the first attempt of a stage. */
function keyOf(run: string, stage: JobStage) {
  const { pk, sk } = jobKey({ run, stage, attempt: 1 });
  return { pk: { S: pk }, sk: { S: sk } };
}

/** The record of the first attempt of a stage. */
export async function recordOf(cloud: TestCloud, run: string, stage: JobStage) {
  const TableName = cloud.local.outputs.TableName;
  const get = new GetItemCommand({ TableName, Key: keyOf(run, stage), ConsistentRead: true });
  return (await cloud.dynamo.send(get)).Item;
}

/** Waits until a job has a record, and sets one of its fields. */
export async function setInRecord(
  cloud: TestCloud,
  run: string,
  stage: JobStage,
  field: string,
  value: { S: string } | { N: string } | { BOOL: boolean },
): Promise<void> {
  await until(() => recordOf(cloud, run, stage), 20);
  await cloud.dynamo.send(
    new UpdateItemCommand({
      TableName: cloud.local.outputs.TableName,
      Key: keyOf(run, stage),
      ConditionExpression: 'attribute_exists(pk)',
      UpdateExpression: 'SET #field = :value',
      ExpressionAttributeNames: { '#field': field },
      ExpressionAttributeValues: { ':value': value },
    }),
  );
}

/** Lets a job seem overdue until its run has ended; each call of start-job sets its limit again. */
export async function untilTimedOut(cloud: TestCloud, subject: string, stage: JobStage): Promise<Ended> {
  const run = await untilStarted(cloud, subject);
  let over = false;
  const ended = untilOver(cloud, subject).finally(() => {
    over = true;
  });
  while (!over) await setInRecord(cloud, run, stage, 'maxRuntimeSeconds', { N: '0' });
  return ended;
}
