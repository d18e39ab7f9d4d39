/** The table of runs and jobs. Every write that ends something is conditional, so that a repeat changes nothing. */
import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  ScanCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import type { ExecutionIdentity } from '../core/jobs/executions.ts';
import {
  claimKey,
  JOB_SORT_PREFIX,
  type JobRecord,
  jobKey,
  type RunRecord,
  runKey,
} from '../core/jobs/records.ts';
import type { JobIdentity } from '../core/names.ts';
import { dynamo, once } from './clients.ts';

export interface TableContext {
  readonly documents: DynamoDBDocumentClient;
  readonly table: string;
}

export function makeDocuments(client: DynamoDBClient): DynamoDBDocumentClient {
  return DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
}

/** The document client of the environment. It is here because no bundler can leave its package out of a bundle. */
export const documents = /* @__PURE__ */ once(() => makeDocuments(dynamo()));

/** Fields that a run has from its end on; a run that is resumed loses them. */
const ENDINGS = ['endedAt', 'error', 'message', 'warning', 'reported'] satisfies (keyof RunRecord)[];

/**
 * Records that a run began, or was resumed: only an execution of the state machine calls this.
 *
 * @param execution - the one that works on it from now on. @default - one without a name, since now
 */
export async function beginRun(
  { documents, table }: TableContext,
  run: Pick<RunRecord, 'runId' | 'subject' | 'bucket'>,
  { begunAt, name, redrives }: Partial<ExecutionIdentity> & { begunAt: string } = {
    begunAt: new Date().toISOString(),
  },
): Promise<void> {
  const facts = { ...run, status: 'RUNNING', begunAt, execution: name, redrives };
  const values = merged({ ...facts, startedAt: begunAt }, {});
  const removed = ENDINGS.map((name) => `#${name}`);
  await documents.send(
    new UpdateCommand({
      TableName: table,
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

export async function readRun(
  { documents, table }: TableContext,
  runId: string,
): Promise<RunRecord | undefined> {
  const { Item } = await documents.send(
    new GetCommand({ TableName: table, Key: runKey(runId), ConsistentRead: true }),
  );
  return Item as RunRecord | undefined;
}

/** Ends a run. @returns whether this call ended it: false when it was over already */
export async function finishRun(
  { documents, table }: TableContext,
  runId: string,
  end: Pick<RunRecord, 'status'> & { readonly endedAt: string } & Partial<
      Pick<RunRecord, 'error' | 'message' | 'report' | 'usd' | 'notify'>
    >,
): Promise<boolean> {
  const facts = { runId, ...end };
  // A run that failed before it was recorded still becomes a complete record.
  const begun = { subject: runId, startedAt: end.endedAt, begunAt: end.endedAt };
  const kept = Object.keys(begun).map((name) => `#${name} = if_not_exists(#${name}, :${name})`);
  return conditional(
    documents.send(
      new UpdateCommand({
        TableName: table,
        Key: runKey(runId),
        ...merged({ ...facts, ...begun }, { ':running': 'RUNNING' }),
        UpdateExpression: `${assignment(facts).UpdateExpression}, ${kept.join(', ')}`,
        ConditionExpression: 'attribute_not_exists(pk) OR #status = :running',
      }),
    ),
  );
}

/** Adds facts to the record of a run. */
export async function updateRun(
  context: TableContext,
  runId: string,
  facts: Partial<RunRecord>,
): Promise<void> {
  await update(context, runKey(runId), facts);
}

/** The jobs of a run, oldest first. */
export async function listJobs(context: TableContext, runId: string): Promise<JobRecord[]> {
  const jobs = await queryRun<JobRecord>(context, runId, JOB_SORT_PREFIX);
  return jobs.sort((a, b) => a.createdAt.localeCompare(b.createdAt) || a.attempt - b.attempt);
}

/** A run with its jobs, in one query. @returns undefined when the table has no such run */
export async function readRecords(
  context: TableContext,
  runId: string,
): Promise<{ run: RunRecord; jobs: JobRecord[] } | undefined> {
  const items = await queryRun<RunRecord | JobRecord>(context, runId, '');
  const run = items.find((item): item is RunRecord => item.sk === 'run');
  const jobs = items.filter((item): item is JobRecord => item.sk.startsWith(JOB_SORT_PREFIX));
  return run && { run, jobs };
}

/** The items of a run whose sort key begins so. */
async function queryRun<Item>(
  { documents, table }: TableContext,
  runId: string,
  sortPrefix: string,
): Promise<Item[]> {
  const found: Item[] = [];
  let ExclusiveStartKey: Record<string, unknown> | undefined;
  do {
    // Two hundred attempts with tokens and messages of full length are more than the megabyte of one answer.
    const page = await documents.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: `pk = :pk${sortPrefix === '' ? '' : ' AND begins_with(sk, :prefix)'}`,
        ExpressionAttributeValues: {
          ':pk': runKey(runId).pk,
          ...(sortPrefix === '' ? {} : { ':prefix': sortPrefix }),
        },
        ConsistentRead: true,
        ExclusiveStartKey,
      }),
    );
    found.push(...((page.Items ?? []) as Item[]));
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined);
  return found;
}

/** Every run of the table, newest first. */
export async function listRuns({ documents, table }: TableContext): Promise<RunRecord[]> {
  const found: RunRecord[] = [];
  let ExclusiveStartKey: Record<string, unknown> | undefined;
  do {
    const page = await documents.send(
      new ScanCommand({
        TableName: table,
        FilterExpression: 'sk = :run',
        ExpressionAttributeValues: { ':run': 'run' },
        ExclusiveStartKey,
      }),
    );
    found.push(...((page.Items ?? []) as RunRecord[]));
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined);
  return found.sort((a, b) => b.startedAt.localeCompare(a.startedAt));
}

/** The run that has claimed a request, by the digest of what it asks for. */
export async function readClaim(
  { documents, table }: TableContext,
  digest: string,
): Promise<string | undefined> {
  const { Item } = await documents.send(
    new GetCommand({ TableName: table, Key: claimKey(digest), ConsistentRead: true }),
  );
  return Item?.runId as string | undefined;
}

/**
 * Claims a request for a run.
 *
 * @param holder - the run that had claimed it when it was read
 * @returns false if another run has claimed it since
 */
export async function putClaim(
  { documents, table }: TableContext,
  digest: string,
  runId: string,
  holder: string | undefined,
): Promise<boolean> {
  return conditional(
    documents.send(
      new PutCommand({
        TableName: table,
        Item: { ...claimKey(digest), runId },
        ...(holder === undefined
          ? { ConditionExpression: 'attribute_not_exists(pk)' }
          : { ConditionExpression: 'runId = :holder', ExpressionAttributeValues: { ':holder': holder } }),
      }),
    ),
  );
}

export async function readJob(
  { documents, table }: TableContext,
  identity: JobIdentity,
): Promise<JobRecord | undefined> {
  const { Item } = await documents.send(
    new GetCommand({ TableName: table, Key: jobKey(identity), ConsistentRead: true }),
  );
  return Item as JobRecord | undefined;
}

/**
 * Stores a job before it is created. A second start of the same attempt only brings a new token: the existing job is
 * reused.
 */
export async function putJob(
  context: TableContext,
  identity: JobIdentity,
  job: Omit<JobRecord, 'pk' | 'sk'>,
): Promise<void> {
  const { documents, table } = context;
  const first = await conditional(
    documents.send(
      new PutCommand({
        TableName: table,
        Item: { ...jobKey(identity), ...job },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    ),
  );
  if (!first) await updateJob(context, identity, { token: job.token });
}

/** Ends a job. @returns whether this call ended it: false when it was over already */
export async function finishJob(
  context: TableContext,
  identity: JobIdentity,
  end: Pick<JobRecord, 'state' | 'reported'> &
    Partial<Pick<JobRecord, 'seconds' | 'usd' | 'artifact' | 'error' | 'message'>>,
): Promise<boolean> {
  const waiting = { expression: '#state = :waiting', values: { ':waiting': 'WAITING' } };
  return conditional(update(context, jobKey(identity), end, waiting));
}

/** Records that the state machine got the outcome of a job. */
export async function markReported(context: TableContext, identity: JobIdentity): Promise<void> {
  await updateJob(context, identity, { reported: true });
}

/** Adds facts to the record of a job. */
export async function updateJob(
  context: TableContext,
  identity: JobIdentity,
  facts: Partial<JobRecord>,
): Promise<void> {
  await update(context, jobKey(identity), facts);
}

/** Completes the bill of a job whose end was recorded without one. A complete bill stays as it is. */
export async function billJob(
  context: TableContext,
  identity: JobIdentity,
  bill: Required<Pick<JobRecord, 'seconds' | 'usd'>>,
): Promise<void> {
  const incomplete = {
    // Zero may have been written for a job that was created at that very moment.
    expression:
      'attribute_exists(pk) AND (attribute_not_exists(#seconds) OR (#seconds = :zero AND #seconds <> :seconds))',
    values: { ':zero': 0 },
  };
  await conditional(update(context, jobKey(identity), bill, incomplete));
}

interface WriteCondition {
  /** Of the written fields, `#name` is the stored value and `:name` the new one. */
  readonly expression: string;
  /** The other values in the expression. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** Sets fields of a record. @param condition - of the write. @default - none */
async function update(
  { documents, table }: TableContext,
  Key: ReturnType<typeof runKey> | ReturnType<typeof jobKey>,
  facts: object,
  condition?: WriteCondition,
): Promise<void> {
  await documents.send(
    new UpdateCommand({
      TableName: table,
      Key,
      ...assignment(facts),
      ...(condition === undefined ? {} : { ConditionExpression: condition.expression }),
      ...merged(facts, condition?.values ?? {}),
    }),
  );
}

/** `SET #a = :a, …` for the entries that are not undefined; names are always escaped, as many are reserved. */
function assignment(facts: object): { UpdateExpression: string } {
  const names = known(facts).map(([name]) => `#${name} = :${name}`);
  return { UpdateExpression: `SET ${names.join(', ')}` };
}

function merged(facts: object, values: Readonly<Record<string, unknown>>) {
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

/** Waits for a conditional write. @returns whether it took place: a condition that fails is an answer, not an error */
async function conditional(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}
