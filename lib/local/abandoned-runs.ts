/**
 * Runs that an earlier cloud on this folder left unfinished, because it was killed. Step Functions has ended their
 * executions and said so once, but that event may have gone down with the cloud that was to hear it. No execution can
 * be running when a cloud has just started, so every run that the table calls RUNNING is over.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { InvokeCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { RunRecord } from '../core/jobs/records.ts';

interface Access {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** Ends every such run the way an abort of its execution does. @returns the names of these runs */
export async function endCutOffRuns(access: Access, table: string): Promise<string[]> {
  const runs = await unfinished(access, table);
  if (runs.length === 0) return [];
  const lambda = new LambdaClient(access);
  const FunctionName = await nameOf(lambda, 'EndRun');
  for (const { runId } of runs) {
    const cause = `The cloud on this machine was cut off. What to do: npx proxytune run --local --resume ${runId}`;
    const detail = { name: runId, status: 'ABORTED', input: JSON.stringify({ runId }), cause };
    await lambda.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify({ detail }) }));
  }
  lambda.destroy();
  return runs.map(({ runId }) => runId);
}

async function unfinished(access: Access, table: string): Promise<RunRecord[]> {
  const client = new DynamoDBClient(access);
  const documents = DynamoDBDocumentClient.from(client);
  const found: RunRecord[] = [];
  let start: Record<string, unknown> | undefined;
  do {
    const page = await documents.send(
      new ScanCommand({
        TableName: table,
        FilterExpression: 'sk = :run AND #status = :running',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':run': 'run', ':running': 'RUNNING' },
        ExclusiveStartKey: start,
      }),
    );
    found.push(...((page.Items ?? []) as RunRecord[]));
    start = page.LastEvaluatedKey;
  } while (start !== undefined);
  client.destroy();
  return found;
}

async function nameOf(lambda: LambdaClient, part: string): Promise<string> {
  const { Functions = [] } = await lambda.send(new ListFunctionsCommand({ MaxItems: 50 }));
  const name = Functions.map(({ FunctionName = '' }) => FunctionName).find((candidate) =>
    candidate.includes(part),
  );
  if (name === undefined) throw new Error(`the stack has no function ${part}`);
  return name;
}
