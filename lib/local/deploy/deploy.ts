/** Deploys a synthesized template into the local cloud, without the CDK's command line and bootstrapping. */
import { readFileSync } from 'node:fs';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CreateBucketCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { ProxytuneError } from '../../core/errors.ts';
import { type FileAsset, readAssembly, type Template } from './assembly.ts';
import { danglingReferences } from './references.ts';
import { deployStack, type StackChange } from './stack.ts';
import { zipFolder } from './zip.ts';

/** The account of the emulator. */
export const LOCAL_ACCOUNT = '000000000000';
export const LOCAL_REGION = 'us-east-1';

/** A bootstrap version that is recent enough for the CDK's default synthesizer. */
const BOOTSTRAP_VERSION = '30';

export interface DeployOptions {
  /** The output folder of `cdk synth`. */
  readonly assemblyDir: string;
  readonly stackName: string;
  /** The emulator's address. */
  readonly endpoint: string;
  /** @default - us-east-1 */
  readonly region?: string;
}

export interface Deployment {
  readonly outputs: Record<string, string>;
  readonly change: StackChange;
}

/**
 * Uploads a stack's assets and creates or updates the stack. Does nothing if nothing has changed.
 *
 * @throws ProxytuneError `LocalCloudFailed` if the assembly is incomplete, the template has dangling references,
 *   or a resource cannot be created; the message names each such resource.
 */
export async function deployTemplate(options: DeployOptions): Promise<Deployment> {
  const clients = connect(options);
  const environment = { account: LOCAL_ACCOUNT, region: options.region ?? LOCAL_REGION };
  const { template, assets, templateAsset } = readAssembly(
    options.assemblyDir,
    options.stackName,
    environment,
  );
  requireReferences(options.stackName, template);
  await setBootstrapVersion(clients.ssm, template);
  for (const asset of assets) await upload(clients.s3, asset);
  const templateUrl = `${options.endpoint}/${templateAsset.bucket}/${templateAsset.key}`;
  const { stack, change } = await deployStack(clients.cloudformation, options.stackName, templateUrl);
  const outputs = (stack.Outputs ?? []).map((output) => [output.OutputKey ?? '', output.OutputValue ?? '']);
  return { outputs: Object.fromEntries(outputs), change };
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
