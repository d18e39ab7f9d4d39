/** Deploy a synthesised template into the local cloud, without the CDK's command line and without bootstrapping. */
import { readFileSync } from 'node:fs';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CreateBucketCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { ProxytuneError } from '../../core/errors.ts';
import { type FileAsset, readAssembly, type Template } from './assembly.ts';
import { danglingReferences } from './references.ts';
import { bringToTemplate, type StackChange } from './stack.ts';
import { zipFolder } from './zip.ts';

/** The account that the emulator plays. */
export const LOCAL_ACCOUNT = '000000000000';
export const LOCAL_REGION = 'us-east-1';

/** The bootstrap version that templates of the CDK's default synthesizer ask for at least. */
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
 * Upload a stack's assets and create or update the stack. Does nothing when nothing changed.
 *
 * @throws ProxytuneError `LocalCloudFailed` if the assembly is incomplete, the template refers to something that
 *   it does not hold, or a resource cannot be made; the message names each such resource.
 */
export async function deployTemplate(options: DeployOptions): Promise<Deployment> {
  const clients = connect(options);
  const place = { account: LOCAL_ACCOUNT, region: options.region ?? LOCAL_REGION };
  const { template, assets, templateAsset } = readAssembly(options.assemblyDir, options.stackName, place);
  refuseDangling(options.stackName, template);
  await markBootstrapped(clients.ssm, template);
  for (const asset of assets) await upload(clients.s3, asset);
  const templateUrl = `${options.endpoint}/${templateAsset.bucket}/${templateAsset.key}`;
  const { stack, change } = await bringToTemplate(clients.cloudformation, options.stackName, templateUrl);
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

function refuseDangling(stackName: string, template: Template): void {
  const dangling = danglingReferences(template);
  if (dangling.length === 0) return;
  throw new ProxytuneError('LocalCloudFailed', {
    what: `The template of ${stackName} refers to things that it does not hold`,
    given: dangling.join('; '),
    remedy: 'correct the references and synthesise again',
  });
}

/** What `cdk bootstrap` leaves behind and templates check: its version, under the parameter they name. */
async function markBootstrapped(client: SSMClient, template: Template): Promise<void> {
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

/** Upload one asset. Its key holds the hash of its content, so what is there already is the same. */
async function upload(client: S3Client, asset: FileAsset): Promise<void> {
  const at = { Bucket: asset.bucket, Key: asset.key };
  try {
    await client.send(new HeadObjectCommand(at));
    return;
  } catch (error) {
    if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode !== 404) throw error;
  }
  // Creating a bucket that one owns already succeeds in us-east-1 and is refused elsewhere by this name.
  await client.send(new CreateBucketCommand({ Bucket: asset.bucket })).catch((error: Error) => {
    if (error.name !== 'BucketAlreadyOwnedByYou') throw error;
  });
  const body = asset.zipped ? await zipFolder(asset.path) : readFileSync(asset.path);
  await client.send(new PutObjectCommand({ ...at, Body: body }));
}
