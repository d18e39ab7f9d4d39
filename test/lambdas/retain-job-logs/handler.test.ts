/** The retention of the account's log groups against the emulator: set where there is none, and never taken over. */
import {
  CreateLogGroupCommand,
  DescribeLogGroupsCommand,
  PutRetentionPolicyCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { handler } from '../../../lambdas/retain-job-logs/handler.ts';
import { logs } from '../../../lib/aws/clients.ts';
import { invoke, useEmulator } from '../custom-resources.ts';

useEmulator();

/** Name and retention of the groups whose names begin so. */
async function groups(prefix: string): Promise<Record<string, number | undefined>> {
  const { logGroups = [] } = await logs().send(new DescribeLogGroupsCommand({ logGroupNamePrefix: prefix }));
  return Object.fromEntries(
    logGroups.map(({ logGroupName, retentionInDays }) => [logGroupName, retentionInDays]),
  );
}

const create = (name: string) => logs().send(new CreateLogGroupCommand({ logGroupName: name }));
const properties = (Groups: readonly string[], Days: string) => ({ Groups, Days });

test('creates a group that does not exist, so that the first job finds the retention', async () => {
  const answer = await invoke(
    handler,
    'Create',
    properties(['/new/TrainingJobs', '/new/TransformJobs'], '30'),
  );
  expect(answer.Status).toBe('SUCCESS');
  expect(await groups('/new/')).toEqual({ '/new/TrainingJobs': 30, '/new/TransformJobs': 30 });
});

test('sets the retention of a group without one, not of others whose names begin the same', async () => {
  await create('/old/TrainingJobs');
  await create('/old/TrainingJobs-of-others');
  await invoke(handler, 'Create', properties(['/old/TrainingJobs'], '7'));
  expect(await groups('/old/')).toEqual({ '/old/TrainingJobs': 7, '/old/TrainingJobs-of-others': undefined });
});

test('leaves a retention alone that somebody else has chosen, at creation and at an update', async () => {
  await create('/kept/TrainingJobs');
  const chosen = { logGroupName: '/kept/TrainingJobs', retentionInDays: 365 };
  await logs().send(new PutRetentionPolicyCommand(chosen));
  expect((await invoke(handler, 'Create', properties(['/kept/TrainingJobs'], '7'))).Status).toBe('SUCCESS');
  await invoke(handler, 'Update', properties(['/kept/TrainingJobs'], '14'), { Days: '7' });
  expect(await groups('/kept/')).toEqual({ '/kept/TrainingJobs': 365 });
});

test('changes its own retention, and leaves it when the stack is deleted', async () => {
  await invoke(handler, 'Create', properties(['/own/TrainingJobs'], '7'));
  await invoke(handler, 'Update', properties(['/own/TrainingJobs'], '14'), { Days: '7' });
  await invoke(handler, 'Delete', properties(['/own/TrainingJobs'], '14'));
  expect(await groups('/own/')).toEqual({ '/own/TrainingJobs': 14 });
});

test('a retention that AWS does not know fails the deployment with its reason', async () => {
  const answer = await invoke(handler, 'Create', properties(['/wrong/TrainingJobs'], '31'));
  expect(answer.Status).toBe('FAILED');
  expect(answer.Reason).toBeTruthy();
});
