/**
 * Decodes HEIC with libheif in wasm, because sharp's prebuilt binaries cannot (patents). It runs in a worker thread
 * that is terminated when it takes too long: nothing else can interrupt wasm, and a crafted photo must not hang a
 * run. Terminating the worker also frees its memory after each photo.
 */
import { Worker } from 'node:worker_threads';

/** A decoded picture: upright RGBA, eight bits a channel, in the colour space of its profile. */
export interface HeicPicture {
  readonly width: number;
  readonly height: number;
  readonly data: Buffer;
}

type Reply = { failure: string } | { width: number; height: number; data: { buffer: ArrayBuffer } };

/** The decoder did not finish in time. */
export class DecoderTooSlow extends Error {}

/*
 * Source text instead of a file, which bundling into one file would lose. Its import is resolved from this module, so
 * `heic-decode` must be in the node_modules next to the bundle, like sharp.
 */
const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const decode = require('node:module').createRequire(workerData.from)('heic-decode');
  async function main() {
    const pictures = await decode.all({ buffer: workerData.content });
    const picture = pictures[workerData.index] ?? pictures[0];
    if (picture.width * picture.height > workerData.maxPixels) throw new Error('larger than in its header');
    const { width, height, data } = await picture.decode();
    parentPort.postMessage({ width, height, data }, [data.buffer]);
  }
  main().catch((error) => parentPort.postMessage({ failure: String(error?.message ?? error) }));
`;

/**
 * Decodes one picture of a HEIC file. Rotation and mirroring are part of the format and already applied.
 *
 * @param index the index of the primary image among the top-level ones
 * @throws DecoderTooSlow after `seconds`
 * @throws Error with the decoder's message when the file is damaged
 */
export async function decodeHeic(
  content: Uint8Array,
  { index, maxPixels, seconds }: { index: number; maxPixels: number; seconds: number },
): Promise<HeicPicture> {
  const worker = new Worker(WORKER, {
    eval: true,
    execArgv: [],
    // libheif prints its errors; our messages replace them.
    stdout: true,
    stderr: true,
    workerData: { content, index, maxPixels, from: import.meta.url },
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<HeicPicture>((resolve, reject) => {
      timer = setTimeout(
        () => reject(new DecoderTooSlow(`HEIC took more than ${seconds} s`)),
        seconds * 1000,
      );
      worker.once('message', (reply: Reply) => {
        if ('failure' in reply) reject(new Error(reply.failure));
        else resolve({ ...reply, data: Buffer.from(reply.data.buffer) });
      });
      worker.once('error', reject);
      worker.once('exit', (code) => reject(new Error(`the HEIC decoder ended early with ${code}`)));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
