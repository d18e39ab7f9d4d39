/** The few things the service does with S3, over the one client it has. */
import { createWriteStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { Location } from './location.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** How to reach the S3 the jobs read and write. */
export interface S3Access {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: Credentials;
}

export interface StoredObject {
  readonly key: string;
  readonly size: number;
}

export class Objects {
  readonly #client: S3Client;

  constructor(access: S3Access) {
    this.#client = new S3Client({
      ...access,
      forcePathStyle: true,
      // The newer default sends bodies in checksummed chunks, which needs more of a server than ours promises.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
  }

  /** All objects whose key starts with the location's key, in key order, folder markers ("…/") left out. */
  async list({ bucket, key }: Location): Promise<StoredObject[]> {
    const found: StoredObject[] = [];
    let token: string | undefined;
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: key, ContinuationToken: token }),
      );
      for (const object of page.Contents ?? []) {
        if (object.Key && !object.Key.endsWith('/')) found.push({ key: object.Key, size: object.Size ?? 0 });
      }
      token = page.NextContinuationToken;
    } while (token);
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Whether there is such an object. Any other trouble than its absence is thrown. */
  async exists({ bucket, key }: Location): Promise<boolean> {
    try {
      await this.#client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
      return true;
    } catch (error) {
      if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 404)
        return false;
      throw error;
    }
  }

  async read({ bucket, key }: Location): Promise<Buffer> {
    const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return Body ? Buffer.from(await Body.transformToByteArray()) : Buffer.alloc(0);
  }

  /** Writes the object to a file, making the folders on the way. */
  async download({ bucket, key }: Location, file: string): Promise<void> {
    await mkdir(dirname(file), { recursive: true });
    const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const content = Body instanceof Readable ? Body : Readable.from([]);
    await pipeline(content, createWriteStream(file));
  }

  /**
   * Writes a file to an object, as the file is at this moment: it is held open, so that renaming another
   * file into its place meanwhile does no harm.
   */
  async upload(file: string, { bucket, key }: Location): Promise<void> {
    const handle = await open(file);
    try {
      const { size } = await handle.stat();
      const body = size > 0 ? handle.createReadStream({ end: size - 1, autoClose: false }) : Buffer.alloc(0);
      await this.#client.send(
        new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentLength: size }),
      );
    } finally {
      await handle.close();
    }
  }

  async write(content: Buffer, { bucket, key }: Location): Promise<void> {
    await this.#client.send(
      new PutObjectCommand({ Bucket: bucket, Key: key, Body: content, ContentLength: content.length }),
    );
  }

  async delete({ bucket, key }: Location): Promise<void> {
    await this.#client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
  }

  close(): void {
    this.#client.destroy();
  }
}
