/** A run from upload to report, and a second one that reuses the class images of the first. */
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { keys } from '../../../lib/core/keys.ts';
import { PAIRS } from '../pairs.ts';
import { JOB_PREFIX, jobsOf, SMALL, type TestCloud, until, untilOver, upload } from '../pipeline.ts';
import { setInRecord, stopRun, untilStarted } from './control.ts';

const REQUEST = {
  ...SMALL,
  ...PAIRS.uploaded,
  notify: 'owner@example.com',
  advanced: { ...SMALL.advanced, teach: { ...SMALL.advanced.teach, priorPictures: 4 } },
};

/** @returns the finished run */
export async function normalPass(cloud: TestCloud): Promise<string> {
  await upload(cloud, 'pet', REQUEST);
  const run = await untilStarted(cloud, 'pet');
  // A reference that an earlier try of the inspection left, which it deletes.
  const Key = `${keys.references(run)}9999.png`;
  await cloud.s3.send(new PutObjectCommand({ Bucket: cloud.bucket, Key, Body: 'leftover' }));
  await until(async () => `${JOB_PREFIX}${run}-evaluate-a1` in (await jobsOf(cloud, run)) || undefined);
  // As if no lambda had been able to delete this model.
  await setInRecord(cloud, run, 'synthesize', 'modelDeleted', { BOOL: false });
  expect(await untilOver(cloud, 'pet')).toMatchObject({ status: 'SUCCEEDED' });

  await upload(cloud, 'again', REQUEST);
  const again = await untilStarted(cloud, 'again');
  const teaching = `${JOB_PREFIX}${again}-teach-a1`;
  await until(async () => (await jobsOf(cloud, again))[teaching] === 'Completed' || undefined);
  await stopRun(cloud, again);
  await untilOver(cloud, 'again');
  return run;
}
