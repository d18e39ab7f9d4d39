/** Named records, in memory and as one JSON file each, so that they persist. */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { readRecord } from '../../read-record.ts';
import { modelSchema, trainingSchema, transformSchema } from './record-schemas.ts';
import type { ModelRecord, TrainingRecord, TransformRecord } from './records.ts';

export class Store<Entry extends { readonly name: string }> {
  readonly #folder: string;
  readonly #entries = new Map<string, Entry>();

  /** Reads the records of an earlier service from the folder, and creates the folder if it is missing. */
  constructor(folder: string, schema: z.ZodType) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    for (const file of readdirSync(folder).sort()) {
      if (!file.endsWith('.json')) continue;
      const entry = readRecord<Entry>(join(folder, file), schema, {
        what: 'The local SageMaker service cannot read one of its records',
        remedy: 'delete this file, which deletes the job or model in it, then retry',
      });
      this.#entries.set(entry.name, entry);
    }
  }

  get(name: string): Entry | undefined {
    return this.#entries.get(name);
  }

  all(): Entry[] {
    return [...this.#entries.values()];
  }

  /** Stores the entry; writes a temporary file and renames it, so that a crash leaves a complete file. */
  put(entry: Entry): void {
    this.#entries.set(entry.name, entry);
    const file = this.#file(entry.name);
    writeFileSync(`${file}.new`, `${JSON.stringify(entry, null, 1)}\n`);
    renameSync(`${file}.new`, file);
  }

  delete(name: string): void {
    this.#entries.delete(name);
    rmSync(this.#file(name), { force: true });
  }

  #file(name: string): string {
    return join(this.#folder, `${name}.json`);
  }
}

/** The stored state of the service. */
export interface State {
  readonly trainingJobs: Store<TrainingRecord>;
  readonly transformJobs: Store<TransformRecord>;
  readonly models: Store<ModelRecord>;
}

export function openState(dataDir: string): State {
  const store = <Entry extends { readonly name: string }>(kind: string, schema: z.ZodType) =>
    new Store<Entry>(join(dataDir, 'state', kind), schema);
  return {
    trainingJobs: store<TrainingRecord>('training-jobs', trainingSchema),
    transformJobs: store<TransformRecord>('transform-jobs', transformSchema),
    models: store<ModelRecord>('models', modelSchema),
  };
}
