/** Reading objects whose size somebody else decides: from a server that sends as much as it is asked for. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import { readBeginning, readBytes, readText } from '../../lib/aws/s3.ts';

const MIB = 1024 * 1024;
/** As much as ended a lambda of 512 MB. */
const HUGE = 300 * MIB;

let server: Server;
let s3: S3Client;
let sent = 0;

beforeAll(async () => {
  // Objects are as long as their keys say, of the letter a.
  server = createServer((request, response) => {
    const size = Number(/\/bucket\/(\d+)/.exec(request.url ?? '')?.[1]);
    response.writeHead(200, { 'content-length': size });
    const block = Buffer.alloc(64 * 1024, 'a');
    let left = size;
    const write = (): void => {
      while (left > 0 && !response.destroyed) {
        const part = block.subarray(0, Math.min(left, block.length));
        left -= part.length;
        sent += part.length;
        if (!response.write(part)) {
          response.once('drain', write);
          return;
        }
      }
      if (left === 0) response.end();
    };
    write();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  s3 = new S3Client({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    forcePathStyle: true,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
});
beforeEach(() => {
  sent = 0;
});
afterAll(async () => {
  s3.destroy();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

const context = () => ({ s3, bucket: 'bucket' });

test.each([0, 1, 65_536, 65_537, 200_000])('the beginning of an object of %d bytes', async (size) => {
  const beginning = await readBeginning(context(), String(size), 65_536);
  expect(beginning.size).toBe(size);
  expect(Buffer.from(beginning.content).toString()).toBe('a'.repeat(Math.min(size, 65_536)));
});

test('of an object of some hundred MB, little more than the beginning is sent', async () => {
  const { content, size } = await readBeginning(context(), String(HUGE), 65_536);
  expect([content.length, size]).toEqual([65_536, HUGE]);
  expect(sent).toBeLessThan(16 * MIB);
});

test('a text or photo larger than its bound is refused by its size, and not read', async () => {
  await expect(readText(context(), String(HUGE))).rejects.toThrow(
    `s3://bucket/${HUGE} has ${HUGE} bytes, and ${32 * MIB} are the most that are read`,
  );
  await expect(readBytes(context(), String(HUGE), 1000)).rejects.toThrow('1000 are the most');
  expect(sent).toBeLessThan(64 * MIB);
  expect(await readText(context(), '3')).toBe('aaa');
});
