/**
 * Ends runs that an earlier cloud on this folder left unfinished because it was killed. Step Functions has ended
 * their executions and sent an event, which may have been lost with the cloud. No execution is running when a cloud
 * has just started, so every run that is RUNNING in the table is over.
 */
import { InvokeCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { clientsFor } from '../aws/context.ts';
import { listRuns } from '../aws/table.ts';
import { ProxytuneError } from '../core/errors.ts';
import type { RunRecord } from '../core/jobs/records.ts';

interface Access {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** Ends every such run like an abort of its execution. @returns the names of these runs */
export async function endAbandonedRuns(access: Access, table: string): Promise<string[]> {
  const runs = await listUnfinished(access, table);
  if (runs.length === 0) return [];
  const lambda = new LambdaClient(access);
  const FunctionName = await findFunction(lambda, 'EndRun');
  for (const { runId, execution = runId } of runs) {
    const cause = `The local cloud was interrupted. What to do: npx proxytune run --local --resume ${runId}`;
    const detail = { name: execution, status: 'ABORTED', input: JSON.stringify({ runId }), cause };
    await lambda.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify({ detail }) }));
  }
  lambda.destroy();
  return runs.map(({ runId }) => runId);
}

async function listUnfinished(access: Access, table: string): Promise<RunRecord[]> {
  const clients = clientsFor('this machine', () => access);
  try {
    const runs = await listRuns({ documents: clients.documents, table });
    return runs.filter(({ status }) => status === 'RUNNING');
  } finally {
    clients.close();
  }
}

async function findFunction(lambda: LambdaClient, part: string): Promise<string> {
  const { Functions = [] } = await lambda.send(new ListFunctionsCommand({ MaxItems: 50 }));
  const name = Functions.map(({ FunctionName = '' }) => FunctionName).find((candidate) =>
    candidate.includes(part),
  );
  if (name === undefined) {
    throw new ProxytuneError('LocalCloudFailed', {
      what: 'The deployed stack does not have one of its functions',
      given: `no function ${part}`,
      remedy:
        'remove emulator/state/cloudformation.json in the data folder and start again: the stack is deployed again over the data that exists',
    });
  }
  return name;
}
