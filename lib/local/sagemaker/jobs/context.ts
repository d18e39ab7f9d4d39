/** What every job run shares. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Watchdog } from '../container/watchdog.ts';
import type { Events } from '../events.ts';
import type { State } from '../state/store.ts';
import type { Objects, S3Access } from '../transfer/objects.ts';
import type { Slots } from './slots.ts';

export interface JobContext {
  readonly dataDir: string;
  readonly s3: S3Access;
  readonly objects: Objects;
  readonly state: State;
  readonly events: Events;
  readonly watchdog: Watchdog;
  readonly slots: Slots;
  readonly commands: { readonly train: readonly string[]; readonly serve: readonly string[] };
  readonly containerEnv: Readonly<Record<string, string>>;
  readonly stopGraceSeconds: number;
  readonly log: (message: string) => void;
}

/** A job on its way. */
export interface JobRun {
  /** Resolves when the job has ended; never rejects. */
  readonly done: Promise<void>;
  /** The caller's wish to stop; answers at once, the job ends later. */
  stop(): void;
  /** The service goes away: ends the processes and leaves the record as it stands. */
  close(): Promise<void>;
}

/** How long a container may take to end when the whole service closes. */
export const CLOSE_GRACE_SECONDS = 2;

/** Where the job's own files are: its log stays, the rest goes when it ends. */
export function jobFolder(dataDir: string, jobName: string): string {
  return join(dataDir, 'jobs', jobName);
}

/** The file with all a job's containers printed, and what the service says about the job. */
export function jobLogFile(dataDir: string, jobName: string): string {
  return join(jobFolder(dataDir, jobName), 'log.txt');
}

/** Adds a line of the service's own to a job's log. */
export function noteInLog(dataDir: string, jobName: string, message: string): void {
  mkdirSync(jobFolder(dataDir, jobName), { recursive: true });
  appendFileSync(jobLogFile(dataDir, jobName), `${new Date().toISOString()}:[sagemaker logs]: ${message}\n`);
}
