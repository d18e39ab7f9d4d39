/**
 * The account's way of deploying, with the unmodified command line of the CDK: bootstrap, deploy, deploy again, update
 * and destroy, next to the stack that the local cloud has deployed itself.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CloudFormationClient,
  DescribeStacksCommand,
  ListStackResourcesCommand,
} from '@aws-sdk/client-cloudformation';
import { DescribeImagesCommand, DescribeRepositoriesCommand, ECRClient } from '@aws-sdk/client-ecr';
import { HeadBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { type LocalCloud, startLocalCloud } from '../../lib/local/cloud.ts';
import { LOCAL_ACCOUNT, LOCAL_REGION } from '../../lib/local/deploy/deploy.ts';
import { Cdk } from './cdk.ts';

const MINUTE = 60_000;
/** Next to `Proxytune`, which is the local cloud's own. */
const NAME = 'Account';
const settings = ['-c', `proxytune:name=${NAME}`];

const folder = mkdtempSync(join(tmpdir(), 'proxytune-deployment-'));
let local: LocalCloud;
let cdk: Cdk;
let cloudformation: CloudFormationClient;
let outputs: Record<string, string>;
let updatedAt: Date | undefined;

beforeAll(async () => {
  local = await startLocalCloud({ dataDir: join(folder, 'data') });
  const { environment } = local;
  cdk = new Cdk({ folder, environment });
  cloudformation = new CloudFormationClient(access());
}, 5 * MINUTE);

afterAll(async () => {
  await local?.close();
  rmSync(folder, { recursive: true, force: true });
}, MINUTE);

function access() {
  const {
    AWS_ENDPOINT_URL: endpoint = '',
    AWS_ACCESS_KEY_ID = '',
    AWS_SECRET_ACCESS_KEY = '',
  } = local.environment;
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  return { endpoint, region: LOCAL_REGION, credentials };
}

async function stack() {
  const { Stacks } = await cloudformation.send(new DescribeStacksCommand({ StackName: NAME }));
  return Stacks?.[0];
}

test(
  'bootstrap prepares the account',
  async () => {
    expect(await cdk.run('bootstrap', `aws://${LOCAL_ACCOUNT}/${LOCAL_REGION}`)).toContain('bootstrapped');
  },
  5 * MINUTE,
);

test(
  'deploy builds and pushes the image once, in a format that SageMaker accepts, and creates the stack',
  async () => {
    await cdk.run('deploy', '--all', '--require-approval', 'never', ...settings);
    const calls = cdk.dockerCalls();
    expect(calls.map(([command]) => command)).toEqual(['login', 'inspect', 'build', 'tag', 'push']);
    expect(calls[2]).toEqual(expect.arrayContaining(['--platform', 'linux/amd64']));
    const created = await stack();
    expect(created?.StackStatus).toBe('CREATE_COMPLETE');
    updatedAt = created?.LastUpdatedTime;
    outputs = Object.fromEntries(
      (created?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey ?? '', OutputValue ?? '']),
    );
    expect(outputs.BucketName).not.toBe(local.outputs.BucketName);
    expect(outputs.ImageUri).toBe(calls[4]?.at(-1));
    expect(await mediaTypeOf(outputs.ImageUri ?? '')).toBe(
      'application/vnd.docker.distribution.manifest.v2+json',
    );
  },
  5 * MINUTE,
);

test(
  'a second deployment changes nothing and does not call Docker',
  async () => {
    const printed = await cdk.run('deploy', '--all', '--require-approval', 'never', ...settings);
    expect(printed).toContain(`${NAME} (no changes)`);
    expect(cdk.dockerCalls()).toEqual([]);
    expect((await stack())?.LastUpdatedTime).toEqual(updatedAt);
  },
  5 * MINUTE,
);

test(
  'an update changes what it must, keeps the data, and does not call Docker',
  async () => {
    const logRetention = ['-c', 'proxytune:logRetentionDays=60'];
    await cdk.run('deploy', '--all', '--require-approval', 'never', ...settings, ...logRetention);
    expect(cdk.dockerCalls()).toEqual([]);
    const updated = await stack();
    expect(updated?.StackStatus).toBe('UPDATE_COMPLETE');
    const kept = (updated?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]);
    expect(Object.fromEntries(kept)).toEqual(outputs);
  },
  5 * MINUTE,
);

test(
  'destroy deletes the stack, but no photos and not the stack of another name',
  async () => {
    await cdk.run('destroy', '--all', '--force', ...settings);
    await expect(stack()).rejects.toThrow('does not exist');
    const s3 = new S3Client({ ...access(), forcePathStyle: true });
    await s3.send(new HeadBucketCommand({ Bucket: outputs.BucketName }));
    const own = await cloudformation.send(new ListStackResourcesCommand({ StackName: 'Proxytune' }));
    expect(
      own.StackResourceSummaries?.every(({ ResourceStatus }) => ResourceStatus === 'CREATE_COMPLETE'),
    ).toBe(true);
  },
  5 * MINUTE,
);

/** The media type of the manifest under a tag. */
async function mediaTypeOf(uri: string): Promise<string | undefined> {
  const ecr = new ECRClient(access());
  const [name, imageTag] = uri.split(':') as [string, string];
  const { repositories = [] } = await ecr.send(new DescribeRepositoriesCommand({}));
  const repository = repositories.find(({ repositoryUri }) => repositoryUri === name);
  const { imageDetails } = await ecr.send(
    new DescribeImagesCommand({ repositoryName: repository?.repositoryName, imageIds: [{ imageTag }] }),
  );
  return imageDetails?.[0]?.imageManifestMediaType;
}
