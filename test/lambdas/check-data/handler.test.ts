/** Adopted data against the emulator: what is missing is named, each with the command that sets it. */
import {
  CreateBucketCommand,
  DeletePublicAccessBlockCommand,
  GetBucketLifecycleConfigurationCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  PutPublicAccessBlockCommand,
} from '@aws-sdk/client-s3';
import { handler } from '../../../lambdas/check-data/handler.ts';
import { s3 } from '../../../lib/aws/clients.ts';
import { invoke, useEmulator } from '../custom-resources.ts';
import { createTable, KEYS_OF_RUNS } from '../tables.ts';

useEmulator();

const block = {
  BlockPublicAcls: true,
  IgnorePublicAcls: true,
  BlockPublicPolicy: true,
  RestrictPublicBuckets: true,
};

/** Everything that a bucket of ours has, each part by itself. */
const PARTS: Readonly<Record<string, (Bucket: string) => Promise<unknown>>> = {
  versioning: (Bucket) =>
    s3().send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } })),
  EventBridge: (Bucket) =>
    s3().send(
      new PutBucketNotificationConfigurationCommand({
        Bucket,
        NotificationConfiguration: { EventBridgeConfiguration: {} },
      }),
    ),
  'public access': (Bucket) =>
    s3().send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration: block })),
  'lifecycle rule': (Bucket) =>
    s3().send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket,
        LifecycleConfiguration: {
          Rules: [
            {
              ID: 'unfinished-uploads',
              Status: 'Enabled',
              Filter: { Prefix: '' },
              AbortIncompleteMultipartUpload: { DaysAfterInitiation: 3 },
            },
            {
              ID: 'intermediates',
              Status: 'Enabled',
              Filter: { Prefix: 'intermediates/' },
              Expiration: { Days: 90 },
            },
          ],
        },
      }),
    ),
};

/** Parts of which a bucket has the one and not the other. */
async function onlyRule(Bucket: string, ID: string): Promise<void> {
  const { Rules = [] } = await s3().send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
  const kept = Rules.filter((rule) => rule.ID === ID);
  await s3().send(
    new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: kept } }),
  );
}

async function bucketWith(name: string, parts: readonly string[]): Promise<string> {
  await s3().send(new CreateBucketCommand({ Bucket: name }));
  // A bucket blocks public access from its creation, unless it is older than that default (April 2023).
  await s3().send(new DeletePublicAccessBlockCommand({ Bucket: name }));
  for (const part of parts) await PARTS[part]?.(name);
  return name;
}

const check = (properties: Record<string, unknown>) => invoke(handler, 'Create', properties);

test('accepts a bucket that has everything', async () => {
  const BucketName = await bucketWith('complete', Object.keys(PARTS));
  expect(await check({ BucketName })).toEqual({
    Status: 'SUCCESS',
    StackId: 'arn:aws:cloudformation:us-east-1:000000000000:stack/S/1',
    RequestId: 'request-1',
    LogicalResourceId: 'Result',
    PhysicalResourceId: 'Result',
  });
});

test.each(Object.keys(PARTS))('refuses a bucket without %s, and says how to set it', async (missing) => {
  const others = Object.keys(PARTS).filter((part) => part !== missing);
  const BucketName = await bucketWith(`no-${missing.replaceAll(' ', '-').toLowerCase()}`, others);
  const answer = await check({ BucketName });
  expect(answer.Status).toBe('FAILED');
  expect(answer.Reason).toMatch(/^Proxytune cannot adopt this data: [^;]*\(aws s3api put-[^;]*\)$/);
  expect(answer.Reason).toContain(missing);
  expect(answer.Reason).toContain(`--bucket ${BucketName}`);
});

test.each(['unfinished-uploads', 'intermediates'])(
  'refuses a bucket with no lifecycle rule but %s',
  async (id) => {
    const BucketName = await bucketWith(`only-${id}`, Object.keys(PARTS));
    await onlyRule(BucketName, id);
    const { Status, Reason } = await check({ BucketName });
    expect([Status, Reason]).toEqual(['FAILED', expect.stringContaining('a lifecycle rule is missing')]);
  },
);

test('the command for the rules sets both', async () => {
  const BucketName = await bucketWith('advised', Object.keys(PARTS));
  await onlyRule(BucketName, 'unfinished-uploads');
  const advised =
    /--lifecycle-configuration '([^']+)'/.exec((await check({ BucketName })).Reason ?? '')?.[1] ?? '';
  const LifecycleConfiguration = JSON.parse(advised);
  await s3().send(new PutBucketLifecycleConfigurationCommand({ Bucket: BucketName, LifecycleConfiguration }));
  expect((await check({ BucketName })).Status).toBe('SUCCESS');
});

test('refuses a bucket that is encrypted with a KMS key', async () => {
  const BucketName = await bucketWith('encrypted', Object.keys(PARTS));
  await s3().send(
    new PutBucketEncryptionCommand({
      Bucket: BucketName,
      ServerSideEncryptionConfiguration: {
        Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'key' } }],
      },
    }),
  );
  expect((await check({ BucketName })).Reason).toContain('encrypted with a KMS key');
});

test('names everything that a new bucket lacks at once', async () => {
  const { Reason = '' } = await check({ BucketName: await bucketWith('bare', []) });
  for (const part of Object.keys(PARTS)) expect(Reason).toContain(part);
});

test('answers also when there is no such bucket', async () => {
  const { Status, Reason } = await check({ BucketName: 'nowhere' });
  expect([Status, Reason]).toEqual(['FAILED', expect.stringContaining('the bucket nowhere cannot be read')]);
});

test('accepts a table with our keys, and no other', async () => {
  const ours = await createTable('runs', KEYS_OF_RUNS);
  expect((await check({ TableName: ours })).Status).toBe('SUCCESS');
  const other = await check({ TableName: await createTable('other', { id: 'HASH' }) });
  expect(other.Reason).toContain('the table other has the keys id HASH instead of pk HASH, sk RANGE');
  expect((await check({ TableName: 'missing' })).Reason).toContain('the table missing cannot be read');
});

test('checks again at an update, and nothing at a deletion', async () => {
  const update = await invoke(handler, 'Update', { BucketName: 'nowhere' });
  expect(update).toMatchObject({ Status: 'FAILED', PhysicalResourceId: 'physical-1' });
  const deletion = await invoke(handler, 'Delete', { BucketName: 'nowhere' });
  expect(deletion).toMatchObject({ Status: 'SUCCESS', PhysicalResourceId: 'physical-1' });
});
