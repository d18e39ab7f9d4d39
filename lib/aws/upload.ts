/** A large file to S3 in parts, some at once. Parts that an earlier, interrupted call has sent are not sent again. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type Part,
  paginateListParts,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { forEachLimited } from './concurrency.ts';
import { describeObject, unquoted } from './s3.ts';

/** S3 takes at most 10,000 parts: enough for 312 GiB. Six of these are in memory at once. */
export const PART_BYTES = 32 * 2 ** 20;
const PARTS_AT_ONCE = 6;
/** Given for the upload and for each part: S3 refuses parts with a checksum of a kind that the upload does not have. */
const ChecksumAlgorithm = 'CRC32';

export interface Target {
  readonly s3: S3Client;
  readonly Bucket: string;
  readonly Key: string;
}

/** @returns the ETag of the object */
export async function uploadInParts(
  target: Target,
  file: FileHandle,
  size: number,
  Metadata: Record<string, string>,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const begun = await findUnfinished(target, file, size);
  if (begun === undefined) return uploadAll(target, file, size, Metadata, signal);
  const etag = await finish(target, begun, file, size, signal);
  // The metadata is that of whoever began: of another file, perhaps, which has the same first parts as this one.
  const { s3, Bucket, Key } = target;
  const stored = await describeObject({ s3, bucket: Bucket }, Key);
  const own = Object.entries(Metadata).every(([name, value]) => stored?.metadata[name] === value);
  return own ? etag : uploadAll(target, file, size, Metadata, signal);
}

/** Checks whether an upload failed because another call has completed it, aborted it, or sent other content for a part. */
export function isCausedByOthers({ name }: Error): boolean {
  return name === 'NoSuchUpload' || name === 'InvalidPart';
}

async function uploadAll(
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
  /** Correct parts by number. */
  readonly parts: ReadonlyMap<number, CompletedPart>;
}

async function finish(
  { s3, Bucket, Key }: Target,
  { UploadId, parts }: Upload,
  file: FileHandle,
  size: number,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const numbers = Array.from({ length: Math.ceil(size / PART_BYTES) }, (_, at) => at + 1);
  const done = new Map<number, CompletedPart>(parts);
  const missing = numbers.filter((number) => !done.has(number));
  await forEachLimited(missing, PARTS_AT_ONCE, signal, async (PartNumber) => {
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
  return unquoted(ETag);
}

/**
 * An upload that was interrupted, or that another call is doing, with its correct parts. Other uploads are left alone:
 * they may be in progress, and the bucket's rules delete them after some days.
 */
async function findUnfinished(target: Target, file: FileHandle, size: number): Promise<Upload | undefined> {
  const { s3, Bucket, Key } = target;
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: Key }));
  for (const { Key: other, UploadId } of Uploads) {
    if (other !== Key || UploadId === undefined) continue;
    const parts = await sameParts(target, UploadId, file, size);
    if (parts.size > 0) return { UploadId, parts };
  }
  return undefined;
}

/** The parts that equal those of the file: without a customer's key a part's ETag is its MD5. */
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
    if (unquoted(ETag) === md5)
      found.set(PartNumber, { PartNumber, ETag, ...(ChecksumCRC32 && { ChecksumCRC32 }) });
  }
  return found;
}

function partOf(file: FileHandle, size: number, part: number): Promise<Buffer> {
  const from = (part - 1) * PART_BYTES;
  return readFrom(file, from, Math.min(PART_BYTES, size - from));
}

/** Reads so many bytes of a file: one call of the system may give fewer. */
export async function readFrom(file: FileHandle, from: number, length: number): Promise<Buffer> {
  const content = Buffer.alloc(length);
  for (let at = 0; at < content.length; ) {
    const { bytesRead } = await file.read(content, at, content.length - at, from + at);
    if (bytesRead === 0) throw new Error('the file became shorter while it was read');
    at += bytesRead;
  }
  return content;
}
