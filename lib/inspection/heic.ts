/**
 * HEIC, which sharp's prebuilt binaries cannot decode (patents), through libheif in wasm. It runs in a worker thread
 * that is ended when it takes too long: nothing else can interrupt wasm, and one crafted photo must not hang a run.
 * The worker's memory goes with it, so that photos do not add up.
 */
import { Worker } from 'node:worker_threads';

/** A decoded picture: upright RGBA, eight bits a channel, in the colour space of its profile. */
export interface HeicPicture {
  readonly width: number;
  readonly height: number;
  readonly data: Buffer;
}

type Answer = { failure: string } | { width: number; height: number; data: { buffer: ArrayBuffer } };

/** The decoder did not finish in time. */
export class DecoderTooSlow extends Error {}

/*
 * Source text, not a file of its own: a bundler that makes one file of a lambda would lose a second file. Its one
 * import is found from this module, so `heic-decode` must lie in node_modules beside the bundle, as sharp does.
 */
const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const decode = require('node:module').createRequire(workerData.from)('heic-decode');
  async function main() {
    const pictures = await decode.all({ buffer: workerData.content });
    const picture = pictures[workerData.index] ?? pictures[0];
    if (picture.width * picture.height > workerData.maxPixels) throw new Error('larger than its header says');
    const { width, height, data } = await picture.decode();
    parentPort.postMessage({ width, height, data }, [data.buffer]);
  }
  main().catch((error) => parentPort.postMessage({ failure: String(error?.message ?? error) }));
`;

/**
 * Decodes one picture of a HEIC file. Rotation and mirroring are part of the format and already applied.
 *
 * @param index which of the file's pictures: the primary one's place among the top-level ones
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
    // libheif prints its complaints; ours say it better.
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
      worker.once('message', (answer: Answer) => {
        if ('failure' in answer) reject(new Error(answer.failure));
        else resolve({ ...answer, data: Buffer.from(answer.data.buffer) });
      });
      worker.once('error', reject);
      worker.once('exit', (code) => reject(new Error(`the HEIC decoder ended early with ${code}`)));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
