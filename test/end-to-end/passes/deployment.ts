/** A deployment with the settings that add lambdas: it adopts data and sets the retention of the logs of jobs. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudWatchLogsClient, CreateLogGroupCommand } from '@aws-sdk/client-cloudwatch-logs';
import { deployStacks } from '../../../lib/local/deploy/deploy.ts';
import { logicalIds } from '../../../lib/local/deploy/logical-ids.ts';
import { startEmulator } from '../../../lib/local/emulator/start.ts';
import { finishTrace, rawTrace } from '../../../lib/local/iam/trace-file.ts';
import { startStatesService } from '../../../lib/local/states/service.ts';
import { clientConfig, emulatorOptions, NODE } from '../../local/emulator/helpers.ts';

/** Does without a local cloud, whose own settings are fixed. @param trace - the file for the trace of authorization */
export async function deploymentPass(trace: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'proxytune-deployment-'));
  const invokeLambda = () => Promise.reject(new Error('nothing runs'));
  const states = await startStatesService({ dataDir: join(folder, 'states'), invokeLambda });
  const env = { AWS_ENDPOINT_URL_SFN: states.endpoint, AWS_ENDPOINT_URL_SAGEMAKER: 'http://127.0.0.1:9' };
  const options = { ...emulatorOptions(join(folder, 'cloud'), env), trace: rawTrace(trace) };
  const emulator = await startEmulator(options);
  try {
    const deploy = (settings: Readonly<Record<string, string>>) =>
      deployWith(settings, join(folder, settings.name ?? ''), emulator.endpoint);
    const { BucketName: bucketName = '', TableName: tableName = '' } = await deploy({ name: 'Before' });
    await createLogGroup(emulator.endpoint, '/aws/sagemaker/TrainingJobs');
    await deploy({ name: 'Proxytune', bucketName, tableName, jobLogRetentionDays: '30' });
    const ids = await logicalIds(clientConfig(emulator.endpoint), ['Proxytune-Data', 'Proxytune']);
    await emulator.close();
    finishTrace(trace, { ...ids, [bucketName]: 'Data', [tableName]: 'Runs' });
  } finally {
    await emulator.close();
    await states.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function deployWith(
  settings: Readonly<Record<string, string>>,
  assemblyDir: string,
  endpoint: string,
): Promise<Record<string, string>> {
  const env = {
    PATH: process.env.PATH,
    CDK_OUTDIR: assemblyDir,
    CDK_CONTEXT_JSON: JSON.stringify({ proxytune: { target: 'local', ...settings } }),
    CDK_VALIDATION: 'false',
  };
  execFileSync(NODE, ['bin/app.ts'], { env });
  return (await deployStacks({ assemblyDir, stackName: settings.name ?? '', endpoint })).outputs;
}

/** Creates a group without a retention, as SageMaker does. */
async function createLogGroup(endpoint: string, logGroupName: string): Promise<void> {
  const logs = new CloudWatchLogsClient(clientConfig(endpoint));
  await logs.send(new CreateLogGroupCommand({ logGroupName }));
  logs.destroy();
}
