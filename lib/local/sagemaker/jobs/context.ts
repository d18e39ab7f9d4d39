/** The context that all job runs share. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Slots } from '../../slots.ts';
import type { RoleAccess } from '../access/role-access.ts';
import type { Watchdog } from '../container/watchdog.ts';
import type { Events } from '../events.ts';
import type { State } from '../state/store.ts';
import type { Objects, S3Access } from '../transfer/objects.ts';

export interface JobContext {
  readonly dataDir: string;
  readonly roles: RoleAccess;
  /** S3 with the keys of the service, or of the job's role in the context of a job. */
  readonly s3: S3Access;
  readonly objects: Objects;
  /** S3 with the keys of the service, for what AWS does not do. */
  readonly serviceObjects: Objects;
  readonly state: State;
  readonly events: Events;
  readonly watchdog: Watchdog;
  readonly slots: Slots;
  readonly commands: { readonly train: readonly string[]; readonly serve: readonly string[] };
  readonly containerEnv: Readonly<Record<string, string>>;
  readonly stopGraceSeconds: number;
  readonly mirrorsRemoveForeign: boolean;
  readonly log: (message: string) => void;
}

/** A job in progress. */
export interface JobRun {
  /** Resolves when the job has ended; never rejects. */
  readonly done: Promise<void>;
  /** Requests a stop; returns immediately, the job ends later. */
  stop(): void;
  /** Ends the processes because the service closes, and leaves the record as it is. */
  close(): Promise<void>;
}

/** The time that a container has to end when the service closes. */
export const CLOSE_GRACE_SECONDS = 2;

/** The folder with the job's files; only its log is kept when it ends. */
export function jobFolder(dataDir: string, jobName: string): string {
  return join(dataDir, 'jobs', jobName);
}

/** The file with the output of a job's containers and the service's messages about the job. */
export function jobLogFile(dataDir: string, jobName: string): string {
  return join(jobFolder(dataDir, jobName), 'log.txt');
}

/** Appends a message of the service to a job's log. */
export function appendToLog(dataDir: string, jobName: string, message: string): void {
  mkdirSync(jobFolder(dataDir, jobName), { recursive: true });
  appendFileSync(jobLogFile(dataDir, jobName), `${new Date().toISOString()}:[sagemaker logs]: ${message}\n`);
}
