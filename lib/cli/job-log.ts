/** Logs of jobs on this machine: the messages of errors speak of the places of an AWS account. */
import { join } from 'node:path';

/** A line with the place of the log of the job that a message names; none when it names none. */
export function logOf(message: string, dataDir: string): string[] {
  const job = /\(job (proxytune-[a-zA-Z0-9-]+)\)/.exec(message)?.[1];
  if (job === undefined) return [];
  return [`the job's log on this machine: ${join(dataDir, 'sagemaker/jobs', job, 'log.txt')}`];
}
