/**
 * Deployments with the settings that add lambdas: one adopts data and sets the retention of the logs of jobs, and one
 * deletes its data with its stack.
 */
import { CloudWatchLogsClient, CreateLogGroupCommand } from '@aws-sdk/client-cloudwatch-logs';
import { CreateMultipartUploadCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { logicalIds } from '../../../lib/local/deploy/logical-ids.ts';
import { finishTrace, rawTrace } from '../../../lib/local/iam/trace-file.ts';
import { type AppCloud, openAppCloud } from '../../local/deploy/app-cloud.ts';
import { clientConfig } from '../../local/emulator/helpers.ts';

const STACKS = ['Proxytune-Data', 'Proxytune'];
const BEFORE = ['Before-Data', 'Before'];

/** Does without a local cloud, whose own settings are fixed. @param trace - the file for the trace of authorization */
export async function deploymentPass(trace: string): Promise<void> {
  const cloud = await openAppCloud(rawTrace(trace));
  try {
    const removed = await deployAndRemove(cloud);
    const { BucketName: bucketName = '', TableName: tableName = '' } = await cloud.deploy({ name: 'Before' });
    await createLogGroup(cloud.endpoint, '/aws/sagemaker/TrainingJobs');
    await cloud.deploy({ name: 'Proxytune', bucketName, tableName, jobLogRetentionDays: '30' });
    const ids = await logicalIds(clientConfig(cloud.endpoint), [...BEFORE, ...STACKS]);
    await cloud.close();
    finishTrace(trace, { ...removed, ...ids, [bucketName]: 'Data', [tableName]: 'Runs' });
  } finally {
    await cloud.close();
  }
}

/** @returns the logical ids of what was deployed */
async function deployAndRemove(cloud: AppCloud): Promise<Record<string, string>> {
  const { BucketName: Bucket = '' } = await cloud.deploy({ removeData: 'true' });
  for (const Key of ['runs/a/plan.json', 'runs/a/report/index.html'])
    await cloud.s3.send(new PutObjectCommand({ Bucket, Key, Body: '{}' }));
  await cloud.s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'models/half' }));
  const ids = await logicalIds(clientConfig(cloud.endpoint), STACKS);
  await cloud.destroy(...STACKS.toReversed());
  return ids;
}

/** Creates a group without a retention, as SageMaker does. */
async function createLogGroup(endpoint: string, logGroupName: string): Promise<void> {
  const logs = new CloudWatchLogsClient(clientConfig(endpoint));
  await logs.send(new CreateLogGroupCommand({ logGroupName }));
  logs.destroy();
}
