/** Tables in the tests of the lambdas. */
import { CreateTableCommand, type KeyType } from '@aws-sdk/client-dynamodb';
import { dynamo } from '../../lib/aws/clients.ts';

/** Keys of the table of runs. */
export const KEYS_OF_RUNS: Readonly<Record<string, KeyType>> = { pk: 'HASH', sk: 'RANGE' };

/** Creates a table whose keys are texts. @returns its name */
export async function createTable(name: string, keys: Readonly<Record<string, KeyType>>): Promise<string> {
  await dynamo().send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: Object.entries(keys).map(([AttributeName, KeyType]) => ({ AttributeName, KeyType })),
      AttributeDefinitions: Object.keys(keys).map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    }),
  );
  return name;
}
