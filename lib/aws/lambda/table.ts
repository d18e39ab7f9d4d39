/** The table of runs and jobs. Every write that ends something is conditional, so that a repeat changes nothing. */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import {
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { JOB_SORT_PREFIX, type JobRecord, jobKey, type RunRecord, runKey } from '../../core/jobs/records.ts';
import type { JobIdentity } from '../../core/names.ts';
import { dynamo } from './clients.ts';
import { setting } from './environment.ts';

const documents = (): DynamoDBDocumentClient =>
  DynamoDBDocumentClient.from(dynamo(), { marshallOptions: { removeUndefinedValues: true } });
const table = (): string => setting('TABLE');

/** What a run is known by from its end on, so that one that goes on sheds it. */
const ENDINGS = ['endedAt', 'error', 'message', 'told'] satisfies (keyof RunRecord)[];

/** Notes that a run began, or goes on after it was stopped: only an execution of the state machine calls this. */
export async function beginRun(run: Pick<RunRecord, 'runId' | 'subject' | 'bucket'>): Promise<void> {
  const begunAt = new Date().toISOString();
  const facts = { ...run, status: 'RUNNING', begunAt };
  const values = merged({ ...facts, startedAt: begunAt }, {});
  const removed = ENDINGS.map((name) => `#${name}`);
  await documents().send(
    new UpdateCommand({
      TableName: table(),
      Key: runKey(run.runId),
      UpdateExpression: `${assignment(facts).UpdateExpression}, #startedAt = if_not_exists(#startedAt, :startedAt) REMOVE ${removed.join(', ')}`,
      ExpressionAttributeNames: {
        ...values.ExpressionAttributeNames,
        ...Object.fromEntries(ENDINGS.map((name) => [`#${name}`, name])),
      },
      ExpressionAttributeValues: values.ExpressionAttributeValues,
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
  end: Pick<RunRecord, 'status'> & { readonly endedAt: string } & Partial<
      Pick<RunRecord, 'error' | 'message' | 'report' | 'usd' | 'notify'>
    >,
): Promise<boolean> {
  const facts = { runId, ...end };
  // A run that broke before it was noted still becomes a whole record.
  const begun = { subject: runId, startedAt: end.endedAt, begunAt: end.endedAt };
  const kept = Object.keys(begun).map((name) => `#${name} = if_not_exists(#${name}, :${name})`);
  return conditional(
    documents().send(
      new UpdateCommand({
        TableName: table(),
        Key: runKey(runId),
        ...merged({ ...facts, ...begun }, { ':running': 'RUNNING' }),
        UpdateExpression: `${assignment(facts).UpdateExpression}, ${kept.join(', ')}`,
        ConditionExpression: 'attribute_not_exists(pk) OR #status = :running',
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
  const found: JobRecord[] = [];
  let ExclusiveStartKey: Record<string, unknown> | undefined;
  do {
    // Two hundred attempts with tokens and messages of full length are more than the megabyte of one answer.
    const page = await documents().send(
      new QueryCommand({
        TableName: table(),
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :jobs)',
        ExpressionAttributeValues: { ':pk': runKey(runId).pk, ':jobs': JOB_SORT_PREFIX },
        ConsistentRead: true,
        ExclusiveStartKey,
      }),
    );
    found.push(...((page.Items ?? []) as JobRecord[]));
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined);
  return found.sort((a, b) => a.createdAt.localeCompare(b.createdAt) || a.attempt - b.attempt);
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
