/** Objects in a bucket: list, read, write, copy, delete. Every function takes the bucket it works in. */
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3';

export interface BucketContext {
  readonly s3: S3Client;
  readonly bucket: string;
}

/** An object as a listing describes it. */
export interface StoredObject {
  readonly key: string;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  /** Milliseconds since 1970, in whole seconds. */
  readonly written: number;
}

/** S3 lists and deletes at most a thousand objects in one call. */
const PAGE = 1000;

/** Every object below a prefix. @param most - stop after so many. @default - all */
export async function listObjects(
  { s3, bucket }: BucketContext,
  prefix: string,
  most = Number.POSITIVE_INFINITY,
): Promise<StoredObject[]> {
  const found: StoredObject[] = [];
  const request = { Bucket: bucket, Prefix: prefix, MaxKeys: Math.min(PAGE, most) };
  for await (const page of paginateListObjectsV2({ client: s3 }, request)) {
    for (const { Key: key = '', Size: size = 0, ETag, LastModified } of page.Contents ?? [])
      found.push({ key, size, etag: unquoted(ETag) ?? '', written: LastModified?.getTime() ?? 0 });
    if (found.length >= most) break;
  }
  return found;
}

/** Every key below a prefix. @param most - stop after so many. @default - all */
export async function listKeys(context: BucketContext, prefix: string, most?: number): Promise<string[]> {
  return (await listObjects(context, prefix, most)).map(({ key }) => key);
}

/**
 * Checks by a listing whether an object exists: to a role that may not list the whole bucket, a missing object is
 * forbidden to read instead of missing.
 */
export async function exists(context: BucketContext, key: string): Promise<boolean> {
  return (await listKeys(context, key, 1))[0] === key;
}

/** The first bytes of an object. */
export interface Beginning {
  readonly content: Uint8Array;
  /** Of the whole object. */
  readonly size: number;
}

/**
 * Reads the beginning of an object, because its size is up to whoever uploads it.
 *
 * @param most - stop after so many bytes
 * @param version - of the object. @default - the newest
 */
export async function readBeginning(
  { s3, bucket }: BucketContext,
  key: string,
  most: number,
  version?: string,
): Promise<Beginning> {
  // Not by a Range, which S3 refuses for an empty object.
  const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, VersionId: version }));
  const chunks: Uint8Array[] = [];
  let read = 0;
  for await (const chunk of (object.Body ?? []) as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    read += chunk.length;
    // Leaving the loop closes the connection.
    if (read > most) break;
  }
  const content = Buffer.concat(chunks).subarray(0, most);
  return { content, size: Math.max(object.ContentLength ?? 0, read) };
}

/** The beginning of an object, or undefined when there is none. Needs a role that may list the bucket. */
export async function findBeginning(
  context: BucketContext,
  key: string,
  most: number,
): Promise<Beginning | undefined> {
  try {
    return await readBeginning(context, key, most);
  } catch (error) {
    if (error instanceof NoSuchKey) return undefined;
    throw error;
  }
}

/** Far larger than any document or page of ours, and small enough for the smallest lambda that reads one. */
const LARGEST_DOCUMENT = 32 * 1024 * 1024;

/** An object as text. @throws Error when it is larger than any document of ours */
export async function readText(context: BucketContext, key: string): Promise<string> {
  return Buffer.from(await readBytes(context, key, LARGEST_DOCUMENT)).toString();
}

/** An object as text, or undefined when there is none. Needs a role that may list the bucket. */
export async function findText(context: BucketContext, key: string): Promise<string | undefined> {
  try {
    return await readText(context, key);
  } catch (error) {
    if (error instanceof NoSuchKey) return undefined;
    throw error;
  }
}

/**
 * An object's bytes.
 *
 * @param most - refuse an object of more bytes
 * @throws Error when it is larger
 */
export async function readBytes(context: BucketContext, key: string, most: number): Promise<Uint8Array> {
  const { content, size } = await readBeginning(context, key, most);
  if (size <= most) return content;
  throw new Error(`s3://${context.bucket}/${key} has ${size} bytes, and ${most} are the most that are read`);
}

/** Properties of one object. */
export interface ObjectProperties {
  readonly size: number;
  readonly etag: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Size, ETag and metadata of an object, or undefined when there is none. */
export async function describeObject(
  { s3, bucket }: BucketContext,
  key: string,
): Promise<ObjectProperties | undefined> {
  try {
    const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    return { size: head.ContentLength ?? 0, etag: unquoted(head.ETag), metadata: head.Metadata ?? {} };
  } catch (error) {
    if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 404)
      return undefined;
    throw error;
  }
}

export interface WriteOptions {
  /** @default - S3's own, which a browser downloads */
  readonly contentType?: string;
  /** @default - none */
  readonly metadata?: Record<string, string>;
}

/** Writes an object. @returns its version (undefined in a bucket without versions) and its ETag */
export async function writeObject(
  { s3, bucket }: BucketContext,
  key: string,
  content: string | Uint8Array,
  { contentType, metadata }: WriteOptions = {},
): Promise<{ version: string | undefined; etag: string | undefined }> {
  const { VersionId, ETag } = await s3.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: content,
      ContentType: contentType,
      Metadata: metadata,
    }),
  );
  return { version: VersionId, etag: unquoted(ETag) };
}

export async function writeJson(context: BucketContext, key: string, value: unknown): Promise<void> {
  await writeObject(context, key, JSON.stringify(value), { contentType: 'application/json' });
}

/** Copies an object within the bucket and sets its content type, so that a browser shows it. */
export async function copyObject(
  { s3, bucket }: BucketContext,
  from: string,
  to: string,
  contentType: string,
): Promise<void> {
  await s3.send(
    new CopyObjectCommand({
      Bucket: bucket,
      // The source goes into a header, where only an encoded key is safe.
      CopySource: `${bucket}/${from.split('/').map(encodeURIComponent).join('/')}`,
      Key: to,
      ContentType: contentType,
      MetadataDirective: 'REPLACE',
    }),
  );
}

export async function deleteObject({ s3, bucket }: BucketContext, key: string): Promise<void> {
  await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
}

/** Deletes everything below a prefix except the wanted keys. @throws Error when S3 keeps one: jobs would read it */
export async function deleteOthers(
  context: BucketContext,
  prefix: string,
  wanted: ReadonlySet<string>,
): Promise<void> {
  const { s3, bucket } = context;
  const others = (await listKeys(context, prefix)).filter((key) => !wanted.has(key));
  for (let at = 0; at < others.length; at += PAGE) {
    const Objects = others.slice(at, at + PAGE).map((Key) => ({ Key }));
    const { Errors: [failed] = [] } = await s3.send(
      new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
    );
    if (failed !== undefined)
      throw new Error(`S3 did not delete ${failed.Key}: ${failed.Code} ${failed.Message}`);
  }
}

/** An ETag without the quotes that S3 puts around it. */
export function unquoted(etag: string | undefined): string | undefined {
  return etag?.replaceAll('"', '');
}
