/** The bucket as the lambdas use it: texts, JSON and lists of keys. */
import {
  CopyObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { keys } from '../../core/keys.ts';
import { type Plan, planSchema } from '../../core/plan/plan.ts';
import { s3 } from './clients.ts';
import { setting } from './environment.ts';

const bucket = (): string => setting('BUCKET');

/** An object as text. @param version - of the object. @default - the newest */
export async function readText(key: string, version?: string): Promise<string> {
  const object = await s3().send(new GetObjectCommand({ Bucket: bucket(), Key: key, VersionId: version }));
  return (await object.Body?.transformToString()) ?? '';
}

export async function writeText(key: string, text: string, contentType: string): Promise<void> {
  await s3().send(new PutObjectCommand({ Bucket: bucket(), Key: key, Body: text, ContentType: contentType }));
}

export async function writeJson(key: string, value: unknown): Promise<void> {
  await writeText(key, JSON.stringify(value), 'application/json');
}

export async function readPlan(runId: string): Promise<Plan> {
  return planSchema.parse(JSON.parse(await readText(keys.plan(runId))));
}

/** An object as a listing tells of it. */
export interface Listed {
  readonly key: string;
  readonly size: number;
  /** Without quotation marks. */
  readonly etag: string;
  /** Milliseconds since 1970, in whole seconds. */
  readonly written: number;
}

/** Every object below a prefix. @param most - stop after so many. @default - all */
export async function listObjects(prefix: string, most = Number.POSITIVE_INFINITY): Promise<Listed[]> {
  const found: Listed[] = [];
  let token: string | undefined;
  do {
    const page = await s3().send(
      new ListObjectsV2Command({
        Bucket: bucket(),
        Prefix: prefix,
        ContinuationToken: token,
        MaxKeys: Math.min(1000, most),
      }),
    );
    for (const { Key, Size = 0, ETag = '', LastModified } of page.Contents ?? []) {
      if (Key === undefined) continue;
      const written = LastModified?.getTime() ?? 0;
      found.push({ key: Key, size: Size, etag: ETag.replaceAll('"', ''), written });
    }
    token = page.NextContinuationToken;
  } while (token !== undefined && found.length < most);
  return found;
}

/** Every key below a prefix. @param most - stop after so many. @default - all */
export async function listKeys(prefix: string, most?: number): Promise<string[]> {
  return (await listObjects(prefix, most)).map(({ key }) => key);
}

/** Copies an object within the bucket and says what it is, so that a browser shows it. */
export async function copyObject(from: string, to: string, contentType: string): Promise<void> {
  await s3().send(
    new CopyObjectCommand({
      Bucket: bucket(),
      // The source goes into a header, where only an encoded key is safe.
      CopySource: `${bucket()}/${from.split('/').map(encodeURIComponent).join('/')}`,
      Key: to,
      ContentType: contentType,
      MetadataDirective: 'REPLACE',
    }),
  );
}
