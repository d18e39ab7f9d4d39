import { createHash, randomUUID } from 'node:crypto';
import type { Json } from './json.ts';

/** The algorithms of `$hash`, by their names in Step Functions. */
const HASHES: Record<string, string> = {
  MD5: 'md5',
  'SHA-1': 'sha1',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

/** The most elements that `$range` returns, as with States.ArrayRange. */
const MAX_RANGE = 1000;

/**
 * The functions that Step Functions adds to JSONata 2.0.6. They return undefined for an undefined argument, like
 * JSONata's own, so that a missing field is reported as such and not as an error in the function.
 */
export const stepFunctionsExtras: Record<string, (...args: never[]) => unknown> = {
  parse: (text: string | undefined) => (text === undefined ? undefined : parse(text)),
  uuid: () => randomUUID(),
  hash: (data: string | undefined, algorithm: string) =>
    data === undefined ? undefined : hash(data, algorithm),
  partition: (items: Json[] | undefined, size: number) =>
    items === undefined ? undefined : partition(items, size),
  range,
  random: (seed: number | undefined) => (seed === undefined ? Math.random() : seededRandom(seed)),
};

function parse(text: unknown): unknown {
  if (typeof text !== 'string') throw new Error(`$parse takes a string of JSON, got ${typeof text}`);
  return JSON.parse(text);
}

function hash(data: unknown, algorithm: unknown): string {
  const name = typeof algorithm === 'string' ? HASHES[algorithm] : undefined;
  if (typeof data !== 'string') throw new Error(`$hash takes a string, got ${typeof data}`);
  if (!name)
    throw new Error(`$hash supports ${Object.keys(HASHES).join(', ')}, got ${JSON.stringify(algorithm)}`);
  return createHash(name).update(data, 'utf8').digest('hex');
}

function partition(items: unknown, size: unknown): Json[][] {
  if (!Array.isArray(items)) throw new Error(`$partition takes an array, got ${typeof items}`);
  if (!Number.isInteger(size) || (size as number) < 1) {
    throw new Error(`$partition takes a chunk size of 1 or more, got ${JSON.stringify(size)}`);
  }
  const chunks: Json[][] = [];
  for (let start = 0; start < items.length; start += size as number) {
    chunks.push(items.slice(start, start + (size as number)));
  }
  return chunks;
}

/**
 * Numbers from start to end, which is included if the step reaches it. A single one is returned as a number, as recorded:
 * the list is a sequence of JSONata's.
 */
function range(start: number, end: number, step: number): number[] | number {
  if (![start, end, step].every(Number.isFinite) || step === 0) {
    throw new Error(`$range takes three numbers, the step not 0; got ${JSON.stringify([start, end, step])}`);
  }
  const count = Math.max(0, Math.floor((end - start) / step) + 1);
  if (count > MAX_RANGE)
    throw new Error(`$range returns at most ${MAX_RANGE} numbers, got a range of ${count}`);
  const numbers = Array.from({ length: count }, (_, index) => start + index * step);
  return numbers.length === 1 ? (numbers[0] as number) : numbers;
}

/**
 * A number that depends on the seed only, as in AWS, but differs from AWS's, whose generator is not published. It is
 * derived from a hash, so consecutive seeds give unrelated numbers.
 */
function seededRandom(seed: unknown): number {
  if (typeof seed !== 'number')
    throw new Error(`$random takes a number as seed, got ${JSON.stringify(seed)}`);
  return createHash('sha256').update(String(seed)).digest().readUIntBE(0, 6) / 2 ** 48;
}
