/** Reads a record that one of our services has stored, checked by a schema: a file may be truncated or another's. */
import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { ProxytuneError } from '../core/errors.ts';

export interface RecordKind {
  /** The failure if the record is wrong. */
  readonly what: string;
  readonly remedy: string;
}

/**
 * Reads a JSON file. Members that the schema does not know stay.
 *
 * @throws LocalCloudFailed with the file, what is wrong with it, and the remedy of its kind
 */
export function readRecord<Entry>(file: string, schema: z.ZodType, kind: RecordKind): Entry {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const problem = schema.safeParse(value).error?.issues[0];
    if (problem !== undefined) throw new Error(describe(problem.path, problem.message));
    return value as Entry;
  } catch (cause) {
    const { what, remedy } = kind;
    throw new ProxytuneError('LocalCloudFailed', {
      what,
      given: `${file}: ${(cause as Error).message}`,
      remedy,
      cause,
    });
  }
}

function describe(path: readonly PropertyKey[], message: string): string {
  return path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`;
}
