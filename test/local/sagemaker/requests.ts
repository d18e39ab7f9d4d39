/** A service for requests that it rejects before it needs S3: none is there. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSageMakerService } from '../../../lib/local/sagemaker/index.ts';

export interface Requests {
  readonly endpoint: string;
  /** Sends a request as it is, without the checks of an SDK. */
  post(operation: string, body: unknown): Promise<{ status: number; __type?: string; message?: string }>;
  close(): Promise<void>;
}

export async function openRequests(): Promise<Requests> {
  const folder = await mkdtemp(join(tmpdir(), 'proxytune-rejections-'));
  const service = await startSageMakerService({
    dataDir: folder,
    s3: {
      endpoint: 'http://127.0.0.1:9',
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    },
    commands: { train: ['false'], serve: ['false'] },
  });
  return {
    endpoint: service.endpoint,
    async post(operation, body) {
      const response = await fetch(service.endpoint, {
        method: 'POST',
        headers: { 'X-Amz-Target': `SageMaker.${operation}`, 'Content-Type': 'application/x-amz-json-1.1' },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      return { status: response.status, ...((await response.json()) as object) };
    },
    async close() {
      await service.close();
      await rm(folder, { recursive: true });
    },
  };
}

export const validation = (message: RegExp) => ({
  status: 400,
  __type: 'ValidationException',
  message: expect.stringMatching(message),
});
