/** Deploys synthesized templates into the local cloud, without the CDK's command line and bootstrapping. */
import { readFileSync } from 'node:fs';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CreateBucketCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { ProxytuneError } from '../../core/errors.ts';
import { type FileAsset, readAssembly, type StackAssembly, type Template } from './assembly.ts';
import { danglingReferences } from './references.ts';
import { deployStack, type Recreated, type StackChange } from './stack.ts';
import { zipFolder } from './zip.ts';

/** The account of the emulator. */
export const LOCAL_ACCOUNT = '000000000000';
export const LOCAL_REGION = 'us-east-1';

/** A bootstrap version that is recent enough for the CDK's default synthesizer. */
const BOOTSTRAP_VERSION = '30';

export interface DeployOptions {
  /** The output folder of `cdk synth`. */
  readonly assemblyDir: string;
  /** The stack to deploy, after the stacks that it depends on. */
  readonly stackName: string;
  /** The emulator's address. */
  readonly endpoint: string;
  /** @default - us-east-1 */
  readonly region?: string;
}

export interface Deployment {
  /** The outputs of the named stack. */
  readonly outputs: Record<string, string>;
  /** The change of each stack, in the order of deployment. */
  readonly changes: Readonly<Record<string, StackChange>>;
  /** Resources that no longer existed and were created again. */
  readonly recreated: readonly Recreated[];
}

/**
 * Uploads the assets of a stack and of those that it depends on, and creates or updates each stack in turn. Does
 * nothing if nothing has changed.
 *
 * @throws ProxytuneError `LocalCloudFailed` if the assembly is incomplete, a template has dangling references, or a
 *   resource cannot be created; the message names each such resource.
 */
export async function deployStacks(options: DeployOptions): Promise<Deployment> {
  const clients = connect(options);
  const environment = { account: LOCAL_ACCOUNT, region: options.region ?? LOCAL_REGION };
  const stacks = readAssembly(options.assemblyDir, options.stackName, environment);
  for (const { stackName, template } of stacks) requireReferences(stackName, template);
  const changes: Record<string, StackChange> = {};
  const recreated: Recreated[] = [];
  let outputs: Record<string, string> = {};
  for (const assembly of stacks) {
    const { stack, ...done } = await deployOne(clients, options.endpoint, assembly);
    changes[assembly.stackName] = done.change;
    recreated.push(...done.recreated);
    outputs = Object.fromEntries(
      (stack.Outputs ?? []).map((output) => [output.OutputKey ?? '', output.OutputValue ?? '']),
    );
  }
  return { outputs, changes, recreated };
}

async function deployOne(clients: ReturnType<typeof connect>, endpoint: string, assembly: StackAssembly) {
  const { stackName, template, assets, templateAsset } = assembly;
  await setBootstrapVersion(clients.ssm, template);
  for (const asset of assets) await upload(clients.s3, asset);
  const templateUrl = `${endpoint}/${templateAsset.bucket}/${templateAsset.key}`;
  return deployStack(clients.cloudformation, stackName, templateUrl);
}

function connect({ endpoint, region = LOCAL_REGION }: Pick<DeployOptions, 'endpoint' | 'region'>) {
  const config = { endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  return {
    s3: new S3Client({ ...config, forcePathStyle: true }),
    ssm: new SSMClient(config),
    cloudformation: new CloudFormationClient(config),
  };
}

function requireReferences(stackName: string, template: Template): void {
  const dangling = danglingReferences(template);
  if (dangling.length === 0) return;
  throw new ProxytuneError('LocalCloudFailed', {
    what: `The template of ${stackName} has dangling references`,
    given: dangling.join('; '),
    remedy: 'correct the references and synthesize again',
  });
}

/** Stores the version of `cdk bootstrap` that templates check, under the parameter they name. */
async function setBootstrapVersion(client: SSMClient, template: Template): Promise<void> {
  const parameters = (template.Parameters ?? {}) as Record<string, { Type?: string; Default?: string }>;
  const version = parameters.BootstrapVersion;
  if (version?.Type !== 'AWS::SSM::Parameter::Value<String>' || version.Default === undefined) return;
  const request = {
    Name: version.Default,
    Type: 'String' as const,
    Value: BOOTSTRAP_VERSION,
    Overwrite: true,
  };
  await client.send(new PutParameterCommand(request));
}

/** Uploads one asset. Its key contains the hash of its content, so an existing object is the same. */
async function upload(client: S3Client, asset: FileAsset): Promise<void> {
  const at = { Bucket: asset.bucket, Key: asset.key };
  try {
    await client.send(new HeadObjectCommand(at));
    return;
  } catch (error) {
    if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode !== 404) throw error;
  }
  // Creating one's own existing bucket succeeds in us-east-1 and fails with this name elsewhere.
  await client.send(new CreateBucketCommand({ Bucket: asset.bucket })).catch((error: Error) => {
    if (error.name !== 'BucketAlreadyOwnedByYou') throw error;
  });
  const body = asset.zipped ? await zipFolder(asset.path) : readFileSync(asset.path);
  await client.send(new PutObjectCommand({ ...at, Body: body }));
}
