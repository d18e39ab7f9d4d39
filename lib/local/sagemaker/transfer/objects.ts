/** The service's S3 operations. */
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

/** Access to the S3 that jobs read and write. */
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
      // The newer default sends bodies in checksummed chunks, which our emulator may not support.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
  }

  /** Lists all objects whose key starts with the location's key, in key order, without folder markers ("…/"). */
  async list({ bucket, key }: Location): Promise<StoredObject[]> {
    const objects: StoredObject[] = [];
    let token: string | undefined;
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: key, ContinuationToken: token }),
      );
      for (const object of page.Contents ?? []) {
        if (object.Key && !object.Key.endsWith('/'))
          objects.push({ key: object.Key, size: object.Size ?? 0 });
      }
      token = page.NextContinuationToken;
    } while (token);
    return objects.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Returns true if an object exists. Throws any other error than its absence. */
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

  /** Writes the object to a file and creates its folders. */
  async download({ bucket, key }: Location, file: string): Promise<void> {
    await mkdir(dirname(file), { recursive: true });
    const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const content = Body instanceof Readable ? Body : Readable.from([]);
    await pipeline(content, createWriteStream(file));
  }

  /**
   * Uploads a file as it is at this moment: it stays open, so that renaming another file to its name meanwhile does
   * no harm.
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
