/** A large file to S3 in parts, some at once. What an earlier, broken off call has brought is not brought again. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type Part,
  paginateListParts,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { inTurns } from './in-turns.ts';

/** S3 takes at most 10,000 parts: enough for 312 GiB. Six of these are in memory at once. */
export const PART_BYTES = 32 * 2 ** 20;
const PARTS_AT_ONCE = 6;
/** Said for the upload and for each part: S3 refuses parts with a checksum of a kind that the upload does not have. */
const ChecksumAlgorithm = 'CRC32';

export interface Target {
  readonly s3: S3Client;
  readonly Bucket: string;
  readonly Key: string;
}

/** @returns the ETag of the object, in quotation marks */
export async function uploadInParts(
  target: Target,
  file: FileHandle,
  size: number,
  Metadata: Record<string, string>,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const before = await begun(target, file, size);
  if (before === undefined) return anew(target, file, size, Metadata, signal);
  const ETag = await finish(target, before, file, size, signal);
  // The metadata is that of whoever began: of another file, perhaps, of which this one has the same first parts.
  const { s3, Bucket, Key } = target;
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key }));
  const own = Object.entries(Metadata).every(([name, value]) => head.Metadata?.[name] === value);
  return own ? ETag : anew(target, file, size, Metadata, signal);
}

/** Whether an upload failed because another call has completed it, given it up, or sent other content for a part. */
export function isOthersDoing({ name }: Error): boolean {
  return name === 'NoSuchUpload' || name === 'InvalidPart';
}

async function anew(
  target: Target,
  file: FileHandle,
  size: number,
  Metadata: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const { s3, Bucket, Key } = target;
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({ Bucket, Key, Metadata, ChecksumAlgorithm }),
  );
  return finish(target, { UploadId, parts: new Map() }, file, size, signal);
}

interface Upload {
  readonly UploadId: string | undefined;
  /** Those that are right, by number. */
  readonly parts: ReadonlyMap<number, CompletedPart>;
}

async function finish(
  { s3, Bucket, Key }: Target,
  { UploadId, parts: there }: Upload,
  file: FileHandle,
  size: number,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const numbers = Array.from({ length: Math.ceil(size / PART_BYTES) }, (_, at) => at + 1);
  const done = new Map<number, CompletedPart>(there);
  const missing = numbers.filter((number) => !done.has(number));
  await inTurns(missing, PARTS_AT_ONCE, signal, async (PartNumber) => {
    const Body = await partOf(file, size, PartNumber);
    const { ETag, ChecksumCRC32 } = await s3.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ChecksumAlgorithm }),
    );
    done.set(PartNumber, { PartNumber, ETag, ...(ChecksumCRC32 && { ChecksumCRC32 }) });
  });
  const Parts = numbers.map((number) => done.get(number) ?? {});
  const { ETag } = await s3.send(
    new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
  );
  return ETag;
}

/**
 * An upload that was broken off, or that another call is at, with the parts of it that are right. Others are left: they
 * may be at work, and the bucket is rid of them after some days.
 */
async function begun(target: Target, file: FileHandle, size: number): Promise<Upload | undefined> {
  const { s3, Bucket, Key } = target;
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: Key }));
  for (const { Key: other, UploadId } of Uploads) {
    if (other !== Key || UploadId === undefined) continue;
    const parts = await sameParts(target, UploadId, file, size);
    if (parts.size > 0) return { UploadId, parts };
  }
  return undefined;
}

/** Without a key of one's own a part's ETag is its MD5. */
async function sameParts({ s3, Bucket, Key }: Target, UploadId: string, file: FileHandle, size: number) {
  const found = new Map<number, CompletedPart>();
  const listed: Part[] = [];
  for await (const page of paginateListParts({ client: s3 }, { Bucket, Key, UploadId }))
    listed.push(...(page.Parts ?? []));
  for (const { PartNumber = 0, ETag, Size, ChecksumCRC32 } of listed) {
    if (Size !== Math.min(PART_BYTES, size - (PartNumber - 1) * PART_BYTES)) continue;
    const md5 = createHash('md5')
      .update(await partOf(file, size, PartNumber))
      .digest('hex');
    if (ETag?.replaceAll('"', '') === md5)
      found.set(PartNumber, { PartNumber, ETag, ...(ChecksumCRC32 && { ChecksumCRC32 }) });
  }
  return found;
}

function partOf(file: FileHandle, size: number, part: number): Promise<Buffer> {
  const from = (part - 1) * PART_BYTES;
  return readFrom(file, from, Math.min(PART_BYTES, size - from));
}

/** So many bytes of a file: one call may give fewer. */
export async function readFrom(file: FileHandle, from: number, length: number): Promise<Buffer> {
  const content = Buffer.alloc(length);
  for (let at = 0; at < content.length; ) {
    const { bytesRead } = await file.read(content, at, content.length - at, from + at);
    if (bytesRead === 0) throw new Error(`the file became shorter while it was read`);
    at += bytesRead;
  }
  return content;
}
