/** Deploys the app's own stacks into an emulator with our services, and destroys them: a local cloud of any settings. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  CloudFormationClient,
  DeleteStackCommand,
  waitUntilStackDeleteComplete,
} from '@aws-sdk/client-cloudformation';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { deployStacks } from '../../../lib/local/deploy/deploy.ts';
import { startEmulator } from '../../../lib/local/emulator/start.ts';
import { startSageMakerService } from '../../../lib/local/sagemaker/index.ts';
import { invokeThrough } from '../../../lib/local/states/lambda.ts';
import { startStatesService } from '../../../lib/local/states/service.ts';
import { clientConfig, emulatorOptions, NODE, temporaryFolder } from '../emulator/helpers.ts';

export interface AppCloud {
  readonly s3: S3Client;
  readonly endpoint: string;
  /** The endpoint of Step Functions. */
  readonly states: string;
  /** Synthesizes the app as the local cloud does, and deploys it. @returns the outputs of the stack that computes */
  deploy(settings: Readonly<Record<string, string>>): Promise<Record<string, string>>;
  /** Deletes stacks, each after the one before is gone. */
  destroy(...stacks: string[]): Promise<void>;
  close(): Promise<void>;
}

/** @param trace - the file to which the emulator writes the raw trace of authorization. @default - no trace */
export async function openAppCloud(trace?: string): Promise<AppCloud> {
  const folder = temporaryFolder();
  const access = () => clientConfig(emulator.endpoint);
  const states = await startStatesService({
    dataDir: join(folder, 'states'),
    invokeLambda: (call) => invokeThrough(new LambdaClient(access()))(call),
  });
  // Has no jobs: nothing here runs that long.
  const sagemaker = await startSageMakerService({
    dataDir: join(folder, 'sagemaker'),
    s3: clientConfig('http://127.0.0.1:9'),
    putEvent: async () => {},
    commands: { train: ['false'], serve: ['false'] },
  });
  const env = { AWS_ENDPOINT_URL_SFN: states.endpoint, AWS_ENDPOINT_URL_SAGEMAKER: sagemaker.endpoint };
  const options = emulatorOptions(join(folder, 'cloud'), env);
  const emulator = await startEmulator({ ...options, ...(trace === undefined ? {} : { trace }) });
  return {
    s3: new S3Client({ ...access(), forcePathStyle: true }),
    endpoint: emulator.endpoint,
    states: states.endpoint,
    deploy: (settings) => deploy(settings, join(folder, 'assembly'), emulator.endpoint),
    destroy: (...stacks) => destroy(stacks, emulator.endpoint),
    async close() {
      await emulator.close();
      await Promise.all([states.close(), sagemaker.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function deploy(
  settings: Readonly<Record<string, string>>,
  assemblyDir: string,
  endpoint: string,
): Promise<Record<string, string>> {
  rmSync(assemblyDir, { recursive: true, force: true });
  const env = {
    PATH: process.env.PATH,
    CDK_OUTDIR: assemblyDir,
    CDK_CONTEXT_JSON: JSON.stringify({ proxytune: { target: 'local', ...settings } }),
    CDK_VALIDATION: 'false',
  };
  execFileSync(NODE, ['bin/app.ts'], { env });
  return (await deployStacks({ assemblyDir, stackName: settings.name ?? 'Proxytune', endpoint })).outputs;
}

async function destroy(stacks: readonly string[], endpoint: string): Promise<void> {
  const client = new CloudFormationClient(clientConfig(endpoint));
  for (const StackName of stacks) {
    await client.send(new DeleteStackCommand({ StackName }));
    const wait = { client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 };
    await waitUntilStackDeleteComplete(wait, { StackName });
  }
  client.destroy();
}
