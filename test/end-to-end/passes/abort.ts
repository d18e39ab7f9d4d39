/** Runs that are stopped by hand: while a training, a transform or nothing runs, and while a job is being created. */
import { JOB_PREFIX, jobsOf, SMALL, type TestCloud, until, untilOver, upload } from '../pipeline.ts';
import { setInRecord, stopRun, untilStarted } from './control.ts';

const LONG = {
  ...SMALL.advanced,
  teach: { steps: 2000 },
};
const SLOW = { ...SMALL.advanced, synthesize: { picturesPerChunk: 1, steps: 100 } };

export async function abortPass(cloud: TestCloud): Promise<void> {
  await stoppedIn(cloud, 'training', LONG, 'teach');
  await stoppedIn(cloud, 'transform', SLOW, 'synthesize');
  await stoppedWhileCreated(cloud, 'early', LONG, 'teach');
  await stoppedWhileCreated(cloud, 'earlier', SLOW, 'synthesize');
  await stoppedAfterSilence(cloud);
}

async function stoppedIn(
  cloud: TestCloud,
  subject: string,
  advanced: object,
  stage: 'teach' | 'synthesize',
): Promise<void> {
  await upload(cloud, subject, { ...SMALL, advanced });
  const run = await untilStarted(cloud, subject);
  const job = `${JOB_PREFIX}${run}-${stage}-a1`;
  await until(async () => (await jobsOf(cloud, run))[job] === 'InProgress' || undefined);
  await stopRun(cloud, run);
  expect(await untilOver(cloud, subject)).toMatchObject({ status: 'ABORTED' });
  await until(async () => (await jobsOf(cloud, run))[job] === 'Stopped' || undefined);
}

/** How often a job is caught while it is being created, which takes luck. */
const TRIES = 5;

/** Stops runs between the record of a job and the job itself, until start-job has to stop the job. */
async function stoppedWhileCreated(
  cloud: TestCloud,
  subject: string,
  advanced: object,
  stage: 'teach' | 'synthesize',
): Promise<void> {
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    await upload(cloud, `${subject}-${attempt}`, { ...SMALL, advanced });
    const run = await untilStarted(cloud, `${subject}-${attempt}`);
    // What end-run does with a job that it finds.
    await setInRecord(cloud, run, stage, 'state', { S: 'FAILED' });
    const caught = await isStoppedSoon(cloud, run, `${JOB_PREFIX}${run}-${stage}-a1`);
    await stopRun(cloud, run);
    if (caught) return;
  }
  throw new Error(`${TRIES} times the job of ${stage} was created too soon`);
}

async function isStoppedSoon(cloud: TestCloud, run: string, job: string): Promise<boolean> {
  const deadline = Date.now() + 30_000;
  return until(async () => {
    if ((await jobsOf(cloud, run))[job] === 'Stopped') return true;
    return Date.now() > deadline ? false : undefined;
  });
}

/** A transform whose end nobody hears of is found by reconcile-job; then the run is stopped. */
async function stoppedAfterSilence(cloud: TestCloud): Promise<void> {
  const hear = cloud.local.faults.dropEvents(
    ({ Resources: [arn] }) => arn?.includes('-synthesize-') ?? false,
  );
  await upload(cloud, 'silence', SMALL);
  const run = await untilStarted(cloud, 'silence');
  await until(async () => `${JOB_PREFIX}${run}-learn-a1` in (await jobsOf(cloud, run)) || undefined);
  hear();
  await stopRun(cloud, run);
}
