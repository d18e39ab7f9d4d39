/** The first image of the subject: of the teacher's first checkpoint, long before there is a report. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type BucketContext, listKeys, readBytes } from '../aws/s3.ts';
import { keys } from '../core/keys.ts';
import type { RunView } from './run-state.ts';

/** A validation image and the step of its checkpoint. */
const IMAGE = /\/step-(\d+)\/\d+\.png$/;

/**
 * Looks for the image as long as the run teaches.
 * @param dataDir - the image is copied below it
 * @returns called with each view of the run; gives the line about the image once, when it is there
 */
export function findFirstImage(
  context: BucketContext,
  dataDir: string,
): (view: RunView) => Promise<string | undefined> {
  let found = false;
  return async ({ runId, stages }) => {
    const teaching = stages.some(({ stage, state }) => stage === 'teach' && state === 'running');
    if (found || !teaching) return undefined;
    for (const key of await listKeys(context, keys.teachSamples(runId))) {
      const step = Number(IMAGE.exec(key)?.[1] ?? 0);
      // The images of step 0 are those of the untuned teacher, which does not know the subject.
      if (step === 0) continue;
      found = true;
      const file = resolve(dataDir, keys.run(runId), 'first-image.png');
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, await readBytes(context, key, Number.POSITIVE_INFINITY));
      return `the first image of the subject, after ${step} steps of the teacher: ${file}`;
    }
    return undefined;
  };
}
