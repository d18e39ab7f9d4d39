/** The table of runs and jobs. Every write that ends something is conditional, so that a repeat changes nothing. */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import {
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import type { JobIdentity } from '../../lib/core/names.ts';
import { JOB_SORT_PREFIX, type JobRecord, jobKey, type RunRecord, runKey } from '../../lib/core/records.ts';
import { dynamo } from './clients.ts';
import { setting } from './environment.ts';

const documents = (): DynamoDBDocumentClient =>
  DynamoDBDocumentClient.from(dynamo(), { marshallOptions: { removeUndefinedValues: true } });
const table = (): string => setting('TABLE');

/** Notes that a run began, or goes on after it was stopped: only an execution of the state machine calls this. */
export async function beginRun(run: Omit<RunRecord, 'pk' | 'sk'>): Promise<void> {
  const { startedAt, ...facts } = run;
  await documents().send(
    new UpdateCommand({
      TableName: table(),
      Key: runKey(run.runId),
      UpdateExpression: `${assignment(facts).UpdateExpression}, #startedAt = if_not_exists(#startedAt, :startedAt) REMOVE #endedAt, #error, #message`,
      ExpressionAttributeNames: {
        ...merged({ ...facts, startedAt }, {}).ExpressionAttributeNames,
        '#endedAt': 'endedAt',
        '#error': 'error',
        '#message': 'message',
      },
      ExpressionAttributeValues: merged({ ...facts, startedAt }, {}).ExpressionAttributeValues,
    }),
  );
}

export async function readRun(runId: string): Promise<RunRecord | undefined> {
  const { Item } = await documents().send(
    new GetCommand({ TableName: table(), Key: runKey(runId), ConsistentRead: true }),
  );
  return Item as RunRecord | undefined;
}

/** Ends a run. @returns whether this call ended it: false when it was over already */
export async function endRun(
  runId: string,
  end: Pick<RunRecord, 'status' | 'endedAt'> &
    Partial<Pick<RunRecord, 'error' | 'message' | 'report' | 'usd' | 'notify'>>,
): Promise<boolean> {
  return conditional(
    documents().send(
      new UpdateCommand({
        TableName: table(),
        Key: runKey(runId),
        ...assignment({ runId, ...end }),
        ConditionExpression: 'attribute_not_exists(pk) OR #status = :running',
        ...merged({ runId, ...end }, { ':running': 'RUNNING' }),
      }),
    ),
  );
}

/** Adds facts to a run that goes on. */
export async function noteRun(runId: string, facts: Partial<RunRecord>): Promise<void> {
  await documents().send(
    new UpdateCommand({ TableName: table(), Key: runKey(runId), ...assignment(facts), ...merged(facts, {}) }),
  );
}

/** The jobs of a run, oldest first. */
export async function jobsOf(runId: string): Promise<JobRecord[]> {
  const { Items } = await documents().send(
    new QueryCommand({
      TableName: table(),
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :jobs)',
      ExpressionAttributeValues: { ':pk': runKey(runId).pk, ':jobs': JOB_SORT_PREFIX },
      ConsistentRead: true,
    }),
  );
  return ((Items ?? []) as JobRecord[]).sort(
    (a, b) => a.createdAt.localeCompare(b.createdAt) || a.attempt - b.attempt,
  );
}

export async function readJob(identity: JobIdentity): Promise<JobRecord | undefined> {
  const { Item } = await documents().send(
    new GetCommand({ TableName: table(), Key: jobKey(identity), ConsistentRead: true }),
  );
  return Item as JobRecord | undefined;
}

/**
 * Stores a job before it is created. A second start of the same attempt only brings a new token: the job itself
 * is adopted.
 */
export async function rememberJob(identity: JobIdentity, job: Omit<JobRecord, 'pk' | 'sk'>): Promise<void> {
  const first = await conditional(
    documents().send(
      new PutCommand({
        TableName: table(),
        Item: { ...jobKey(identity), ...job },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    ),
  );
  if (first) return;
  await documents().send(
    new UpdateCommand({
      TableName: table(),
      Key: jobKey(identity),
      ...assignment({ token: job.token }),
      ...merged({ token: job.token }, {}),
    }),
  );
}

/** Marks a job as over. @returns whether this call did it */
export async function endJob(
  identity: JobIdentity,
  end: Pick<JobRecord, 'state' | 'told'> & Partial<Pick<JobRecord, 'seconds' | 'usd' | 'error' | 'message'>>,
): Promise<boolean> {
  return conditional(
    documents().send(
      new UpdateCommand({
        TableName: table(),
        Key: jobKey(identity),
        ...assignment(end),
        ConditionExpression: '#state = :waiting',
        ...merged(end, { ':waiting': 'WAITING' }),
      }),
    ),
  );
}

/** Notes that the state machine was answered. */
export async function markTold(identity: JobIdentity): Promise<void> {
  await documents().send(
    new UpdateCommand({
      TableName: table(),
      Key: jobKey(identity),
      ...assignment({ told: true }),
      ...merged({ told: true }, {}),
    }),
  );
}

/** `SET #a = :a, …` for the entries that are not undefined; names are always escaped, as many are reserved. */
function assignment(facts: object): { UpdateExpression: string } {
  const names = known(facts).map(([name]) => `#${name} = :${name}`);
  return { UpdateExpression: `SET ${names.join(', ')}` };
}

function merged(facts: object, values: Record<string, unknown>) {
  const entries = known(facts);
  return {
    ExpressionAttributeNames: Object.fromEntries(entries.map(([name]) => [`#${name}`, name])),
    ExpressionAttributeValues: {
      ...Object.fromEntries(entries.map(([name, value]) => [`:${name}`, value])),
      ...values,
    },
  };
}

const known = (facts: object): [string, unknown][] =>
  Object.entries(facts).filter(([name, value]) => value !== undefined && name !== 'pk' && name !== 'sk');

/** Whether a conditional write took place; a condition that does not hold is an answer, not an error. */
async function conditional(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}
