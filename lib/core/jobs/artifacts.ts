/** Locations of what trainings made: as SageMaker described them at the end, never guessed from the names of jobs. */
import { keys } from '../keys.ts';
import type { JobRecord } from './records.ts';

type Training = Pick<JobRecord, 'runId' | 'jobName' | 'artifact'>;

/**
 * The key of a training's artifact: an archive, or a folder, whose key ends in `/`.
 * @throws Error when the record has none, or one that is not below this run's folder in this bucket
 */
export function artifactOf({ runId, jobName, artifact }: Training, bucket: string): string {
  const root = `s3://${bucket}/`;
  if (artifact === undefined) throw new Error(`the record of ${jobName} does not say where its artifact is`);
  if (artifact.startsWith(root + keys.jobs(runId))) return artifact.slice(root.length);
  throw new Error(`the artifact of ${jobName} is not below ${root}${keys.jobs(runId)}: ${artifact}`);
}

/** The artifact of a training that does not pack its folder. */
export function artifactFolderOf(job: Training, bucket: string): string {
  return artifactOf(job, bucket).replace(/\/?$/, '/');
}

/** The folder of the archive that a training made. */
export function folderOfArchive(archive: string): string {
  return archive.slice(0, archive.lastIndexOf('/') + 1);
}
