import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { z } from 'zod';
import { readRecord } from '../read-record.ts';
import type { HistoryEvent } from './history.ts';
import type { JsonObject } from './json.ts';
import type { Progress } from './progress.ts';
import { executionSchema, machineSchema } from './record-schemas.ts';

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

/** The stored form of a state machine. Times are milliseconds since the epoch. */
export interface MachineRecord {
  readonly stateMachineArn: string;
  readonly name: string;
  readonly definition: string;
  readonly roleArn: string;
  readonly creationDate: number;
  readonly updateDate: number;
  /** Absent before the first change. */
  readonly revisionId?: string;
  /** Logging, tracing and encryption settings: unused, but returned by Describe calls. */
  readonly settings: JsonObject;
  readonly tags: Readonly<Record<string, string>>;
}

/** The stored form of an execution, with the machine as it was at the start. Times are milliseconds since the epoch. */
export interface ExecutionRecord {
  readonly executionArn: string;
  readonly name: string;
  readonly machine: MachineRecord;
  readonly status: ExecutionStatus;
  readonly startDate: number;
  readonly stopDate?: number;
  readonly input: string;
  readonly output?: string;
  readonly error?: string;
  readonly cause?: string;
  readonly events: readonly HistoryEvent[];
  /** Where the execution is, or where it ended. */
  readonly progress?: Progress;
  /** Absent before the first redrive. */
  readonly redrive?: Redrive;
}

/** The redrives of an execution. */
export interface Redrive {
  readonly count: number;
  /** The time of the last one. */
  readonly date: number;
  /** The caller's name for the last request, which makes it idempotent. */
  readonly clientToken?: string;
}

/**
 * Stores state machines and executions as JSON files. Writes are synchronous and atomic: files are small, and what an
 * API call has confirmed is completely on disk, even if the process is killed right after.
 */
export class Store {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(join(folder, 'machines'), { recursive: true });
    mkdirSync(join(folder, 'executions'), { recursive: true });
  }

  machines(): MachineRecord[] {
    return this.#readAll<MachineRecord>(join(this.#folder, 'machines'), machineSchema);
  }

  executions(): ExecutionRecord[] {
    const folder = join(this.#folder, 'executions');
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => this.#readAll<ExecutionRecord>(join(folder, name), executionSchema));
  }

  saveMachine(machine: MachineRecord): void {
    this.#write(this.#machineFile(machine), machine);
  }

  saveExecution(execution: ExecutionRecord): void {
    this.#write(join(this.#executionsOf(execution.machine), fileName(execution.name)), execution);
  }

  /** Deletes a machine and all its executions. */
  deleteMachine(machine: MachineRecord): void {
    rmSync(this.#machineFile(machine), { force: true });
    rmSync(this.#executionsOf(machine), { recursive: true, force: true });
  }

  #machineFile(machine: MachineRecord): string {
    return join(this.#folder, 'machines', fileName(machine.name));
  }

  #executionsOf(machine: MachineRecord): string {
    return join(this.#folder, 'executions', safeName(machine.name));
  }

  #readAll<T>(folder: string, schema: z.ZodType): T[] {
    const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
    return names.map((name) =>
      readRecord<T>(join(folder, name), schema, {
        what: 'The local Step Functions service cannot read one of its records',
        remedy:
          'delete this file, which deletes the machine or execution in it, then retry; a missing machine is created again',
      }),
    );
  }

  #write(file: string, record: unknown): void {
    mkdirSync(dirname(file), { recursive: true });
    const draft = `${file}.${process.pid}.tmp`;
    writeFileSync(draft, JSON.stringify(record));
    renameSync(draft, file);
  }
}

/**
 * Converts a name to a file name. Names may contain dots, any Unicode letters, and upper-case letters that some file
 * systems do not distinguish. Plain names stay as they are; others become their readable part and a hash.
 */
function safeName(name: string): string {
  if (/^[a-z0-9_-]+$/.test(name)) return name;
  const readable = name.replaceAll(/[^A-Za-z0-9_-]/g, '').slice(0, 40);
  return `${readable}~${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}

function fileName(name: string): string {
  return `${safeName(name)}.json`;
}
