/**
 * Names: of runs, executions and jobs. All are functions of what they name, so that a repeat meets the first; where that
 * is long, of its SHA-256.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { JobStage } from './words.ts';
import { isJobStage } from './words.ts';

/**
 * Hexadecimal digits of SHA-256 in the names of runs and generations: as many as SageMaker's 63 characters leave space
 * for next to subject, stage, round and attempt.
 */
export const NAME_DIGITS = 8;

/**
 * SHA-256 of a text as UTF-8: decides whether two things are the same one, such as uploads, requests, or a model's files.
 *
 * @param digits - the first hexadecimal digits that are returned. @default - all 64
 */
export function sha256Hex(text: string, digits = 64): string {
  return bytesToHex(sha256(utf8ToBytes(text))).slice(0, digits);
}

/** Characters of a stack's digest in the names of its jobs: one pair of stacks in 1.7 million has the same ones. */
const STACK_DIGITS = 4;

/** A short digest that stands for a stack, whose own name would be too long in the names of its jobs. */
export function stackDigest(stackName: string): string {
  const number = Number.parseInt(sha256Hex(stackName, 12), 16) % 36 ** STACK_DIGITS;
  return number.toString(36).padStart(STACK_DIGITS, '0');
}

/**
 * Prefix of the names of all jobs and models of a stack; its IAM policies and event rules match it. All prefixes have
 * the same length, so none matches a name of another stack in the account.
 */
export function jobPrefix(stackName: string): string {
  return `proxytune-${stackDigest(stackName)}-`;
}

/** The repository in ECR that holds the container image of a stack. */
export function imageRepository(stackName: string): string {
  return `proxytune-${stackDigest(stackName)}`;
}

/** The secret in Secrets Manager that holds the hub's token for a stack. */
export function tokenSecret(stackName: string): string {
  return `proxytune/${stackName}/hugging-face-token`;
}

/**
 * The name of the run that an upload asks for. The same upload (bucket, key, version) always gives the same name,
 * which is the execution's name too: an event delivered three times starts one run.
 *
 * @returns at most 29 characters of `[a-z0-9-]`: 20 of the subject, 8 of the digest
 */
export function runId(subject: string, upload: { bucket: string; key: string; version: string }): string {
  const slug = subject
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 20)
    .replace(/-+$/, '');
  return `${slug || 'run'}-${sha256Hex(`${upload.bucket}/${upload.key}@${upload.version}`, NAME_DIGITS)}`;
}

export interface JobIdentity {
  readonly run: string;
  readonly stage: JobStage;
  /** Counts from 1. */
  readonly attempt: number;
  /** Round of the stage, where proxies are generated in rounds. @default - 1, the only one */
  readonly round?: number | undefined;
}

/** The name of an attempt within its stack. It contains the round only after the first. */
export function attemptName({ run, stage, attempt, round = 1 }: JobIdentity): string {
  return `${run}-${stage}${round > 1 ? `-r${round}` : ''}-a${attempt}`;
}

/**
 * The name of an attempt's job in SageMaker: at most the 63 characters that are allowed, up to attempt 99.
 *
 * @param prefix - the stack's, as `jobPrefix` gives it
 */
export function jobName(identity: JobIdentity, prefix: string): string {
  return prefix + attemptName(identity);
}

/** One prompt of a user's own, drawn by a run's adapter. */
export interface GenerationIdentity {
  readonly run: string;
  /** Eight hexadecimal digits, a function of what was asked. */
  readonly id: string;
  /** Counts from 1. */
  readonly attempt: number;
}

/**
 * At most 62 of the 63 characters that SageMaker allows, up to attempt 999. No stage is called so: complete-job passes
 * over the events of these jobs, for which no state machine waits.
 *
 * @param prefix - the stack's, as `jobPrefix` gives it
 */
export function generationJobName({ run, id, attempt }: GenerationIdentity, prefix: string): string {
  return `${generationJobStem(run, id, prefix)}${attempt}`;
}

/** Prefix of the names of all attempts. */
export function generationJobStem(run: string, id: string, prefix: string): string {
  return `${prefix}${run}-gen-${id}-a`;
}

/** The identity in the name of a stage's job, or undefined for another job, such as one of another stack. */
export function parseJobName(name: string, prefix: string): JobIdentity | undefined {
  if (!name.startsWith(prefix)) return undefined;
  const match = /^(.+-[0-9a-f]{8})-(.+?)(?:-r(\d+))?-a(\d+)$/.exec(name.slice(prefix.length));
  const [, run, stage, round, attempt] = match ?? [];
  if (run === undefined || stage === undefined || attempt === undefined || !isJobStage(stage))
    return undefined;
  return { run, stage, attempt: Number(attempt), ...(round === undefined ? {} : { round: Number(round) }) };
}
