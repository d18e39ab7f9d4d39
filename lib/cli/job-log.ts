/** Logs of jobs on this machine, as error messages name places of an AWS account. */
import { join } from 'node:path';

/** A line with the log's path of the job that a message names; none when it names none. */
export function logOf(message: string, dataDir: string): string[] {
  const job = /\(job (proxytune-[a-zA-Z0-9-]+)\)/.exec(message)?.[1];
  if (job === undefined) return [];
  return [`the job's log on this machine: ${join(dataDir, 'sagemaker/jobs', job, 'log.txt')}`];
}
