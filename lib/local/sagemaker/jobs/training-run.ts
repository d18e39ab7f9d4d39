/** One training job, from waiting for a slot to its final status. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hostName } from '../container/folder.ts';
import { failureReason, JobFailure } from '../errors.ts';
import { DEFAULT_MAX_RUNTIME_SECONDS } from '../rules/training.ts';
import type { SecondaryStatus, TrainingRecord } from '../state/records.ts';
import { appendToLog, CLOSE_GRACE_SECONDS, type JobContext, type JobRun, jobFolder } from './context.ts';
import { uploadArtifacts } from './training-data.ts';
import { TrainingInstance } from './training-instance.ts';
import { setTrainingStatus } from './training-record.ts';

/** The reason to end a container from outside. */
type Ending = 'stop' | 'maxRuntime' | 'maxWait' | 'interrupt' | 'close';

const LAST_STATUS: Partial<Record<Ending, SecondaryStatus>> = {
  stop: 'Stopped',
  maxRuntime: 'MaxRuntimeExceeded',
  maxWait: 'MaxWaitTimeExceeded',
};

/** The billed share of the seconds on spot: SageMaker reports the saving as 1 - billable / training, some 65 %. */
const SPOT_SHARE = 0.35;

/** The limit of setTimeout; a job with a limit of 28 days does not reach it here. */
const LONGEST_TIMER = 2 ** 31 - 1;

export class TrainingRun implements JobRun {
  readonly done: Promise<void>;
  readonly #context: JobContext;
  readonly #job: TrainingRecord;
  /** One folder per instance. */
  readonly #roots: readonly string[];
  /** Aborted when the job must end; not by an interruption, after which the job continues. */
  readonly #ended = new AbortController();
  #ending: Ending | undefined;
  #instances: readonly TrainingInstance[] = [];
  #grace = 0;
  #trainedMilliseconds = 0;
  #billedMilliseconds = 0;

  constructor(context: JobContext, job: TrainingRecord) {
    this.#context = context;
    this.#job = job;
    const { InstanceCount, InstancePreferences } = job.request.ResourceConfig;
    const count = InstanceCount ?? InstancePreferences?.[0]?.InstanceCount ?? 1;
    const folder = jobFolder(context.dataDir, job.name);
    this.#roots = Array.from({ length: count }, (_, at) =>
      join(folder, at === 0 ? 'root' : `root-${at + 1}`),
    );
    this.done = this.#run();
  }

  stop(): void {
    setTrainingStatus(this.#context, this.#job, 'Stopping');
    void this.#endWith('stop', this.#context.stopGraceSeconds);
  }

  /**
   * Interrupts the instance like spot: SIGTERM, the grace period, SIGKILL; the job restarts from its checkpoints.
   * @throws Error if it is not a spot job or its container is not running
   */
  async interrupt(graceSeconds: number): Promise<void> {
    const { name, request } = this.#job;
    if (!request.EnableManagedSpotTraining) {
      throw new Error(
        `${name} is not a managed spot job, so it cannot be interrupted. Set EnableManagedSpotTraining.`,
      );
    }
    this.#requireTraining('interrupted');
    await this.#endWith('interrupt', graceSeconds);
  }

  /**
   * Ends the job as if its MaxRuntimeInSeconds had passed.
   * @throws Error if its container is not running
   */
  async exceedRuntime(): Promise<void> {
    this.#requireTraining('out of time');
    await this.#endWith('maxRuntime', this.#context.stopGraceSeconds);
  }

  #requireTraining(what: string): void {
    if (this.#instances.some((instance) => instance.running) && !this.#ending) return;
    const { name, secondary } = this.#job;
    throw new Error(`${name} is ${secondary}; only a job that is Training can be ${what}. Wait until it is.`);
  }

  async close(): Promise<void> {
    // Overrides an earlier ending, because its container has only the time that closing allows.
    this.#ending = 'close';
    this.#ended.abort();
    await this.#stopAll(CLOSE_GRACE_SECONDS);
    await this.done;
  }

  /** The first ending counts, but a stop overrides an interruption: the job must not restart. */
  async #endWith(ending: Ending, graceSeconds: number): Promise<void> {
    if (this.#ending && this.#ending !== 'interrupt') return;
    this.#ending = ending;
    this.#grace = graceSeconds;
    if (ending !== 'interrupt') this.#ended.abort();
    await this.#stopAll(graceSeconds);
  }

  async #stopAll(graceSeconds: number): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance.stop(graceSeconds)));
  }

  async #run(): Promise<void> {
    const stopWaiting = this.#limitWait();
    const release = await this.#context.slots.acquire(this.#ended.signal);
    try {
      const ending = release ? await this.#attempts() : this.#ending;
      if (ending !== 'close') await this.#conclude(ending);
    } catch (error) {
      if (this.#ending !== 'close') this.#fail(error);
    } finally {
      stopWaiting();
      release?.();
      for (const root of this.#roots) await rm(root, { recursive: true, force: true });
    }
  }

  /** Runs the container until it ends other than by interruption; returns undefined if it succeeded. */
  async #attempts(): Promise<Ending | undefined> {
    for (;;) {
      const begun = Date.now();
      try {
        await this.#attempt();
      } finally {
        this.#billedMilliseconds += Date.now() - begun;
      }
      if (this.#ending !== 'interrupt') return this.#ending;
      setTrainingStatus(this.#context, this.#job, 'Interrupted');
      this.#ending = undefined;
      setTrainingStatus(this.#context, this.#job, 'Restarting');
    }
  }

  async #attempt(): Promise<void> {
    if (this.#ending) return;
    setTrainingStatus(this.#context, this.#job, 'Downloading');
    const { request, name, arn } = this.#job;
    await this.#context.roles.prepare(
      {
        role: request.RoleArn,
        arn,
        name,
        kind: 'TrainingJobs',
        image: request.AlgorithmSpecification.TrainingImage,
      },
      (message) => this.#note(message),
    );
    const hosts = this.#roots.map((_, at) => hostName(at));
    const instances = this.#roots.map(
      (root, at) =>
        new TrainingInstance({
          context: this.#context,
          job: this.#job,
          root,
          host: hostName(at),
          hosts,
          warn: (message) => this.#note(message),
        }),
    );
    await waitForAll(instances.map((instance) => instance.prepare()));
    // Checked again, because a stop may have been requested during the download.
    if (this.#ending) return;
    this.#instances = instances;
    setTrainingStatus(this.#context, this.#job, 'Training');
    try {
      const failed = await this.#train();
      if (this.#ending === 'close') return;
      for (const instance of instances) await instance.finish();
      if (!this.#ending && failed) throw await this.#algorithmError(failed);
    } finally {
      for (const instance of instances) await instance.abandon();
    }
  }

  /** Runs all containers to their end. @returns the first that failed, which ends the others too */
  async #train(): Promise<{ instance: TrainingInstance; exitCode: number } | undefined> {
    const begun = Date.now();
    const timer = this.#limitRuntime();
    let failed: { instance: TrainingInstance; exitCode: number } | undefined;
    const run = async (instance: TrainingInstance) => {
      try {
        await instance.start();
      } catch (error) {
        void this.#stopAll(this.#context.stopGraceSeconds);
        throw error;
      }
      // An ending that was requested while the process was starting found no container to stop.
      if (this.#ending) void instance.stop(this.#ending === 'close' ? CLOSE_GRACE_SECONDS : this.#grace);
      const exitCode = await instance.ended();
      if (exitCode === 0 || failed || this.#ending) return;
      failed = { instance, exitCode };
      await this.#stopAll(this.#context.stopGraceSeconds);
    };
    try {
      await waitForAll(this.#instances.map(run));
      return failed;
    } finally {
      clearTimeout(timer);
      this.#trainedMilliseconds += Date.now() - begun;
    }
  }

  async #algorithmError(failed: { instance: TrainingInstance; exitCode: number }): Promise<JobFailure> {
    const message = (await failed.instance.failure()) || 'See job logs for more information';
    const tail = `, exit code: ${failed.exitCode}`;
    // A long message must not push the exit code out of the 1024 characters.
    return new JobFailure(`AlgorithmError: ${message}`.slice(0, 1024 - tail.length) + tail);
  }

  /**
   * Uploads the artifacts, also after a stop or a limit, so that results are never lost. Jobs with several instances
   * save them on the first one.
   */
  async #conclude(ending: Ending | undefined): Promise<void> {
    const ran = this.#job.transitions.some(({ status }) => status === 'Training');
    if (ran) {
      setTrainingStatus(this.#context, this.#job, 'Uploading');
      this.#job.artifacts = await uploadArtifacts(
        this.#context.objects,
        this.#job.request,
        this.#roots[0] ?? '',
      );
    }
    this.#countBilling();
    setTrainingStatus(this.#context, this.#job, (ending && LAST_STATUS[ending]) ?? 'Completed');
    this.#note(`job ended: ${this.#job.secondary}`);
  }

  #fail(error: unknown): void {
    this.#job.failureReason = failureReason(error);
    this.#countBilling();
    setTrainingStatus(this.#context, this.#job, 'Failed', this.#job.failureReason);
    this.#note(`job failed: ${this.#job.failureReason}`);
  }

  #countBilling(): void {
    if (this.#job.started === undefined) return;
    const spot = this.#job.request.EnableManagedSpotTraining ?? false;
    // At least two on spot, so that even the shortest job can be billed for less.
    const seconds = Math.max(spot ? 2 : 1, Math.ceil(this.#billedMilliseconds / 1000));
    this.#job.trainingSeconds = seconds;
    this.#job.billableSeconds = spot ? Math.ceil(seconds * SPOT_SHARE) : seconds;
  }

  /** Starts the timer for the runtime limit, which applies to all attempts together. */
  #limitRuntime(): NodeJS.Timeout {
    const seconds = this.#job.request.StoppingCondition.MaxRuntimeInSeconds ?? DEFAULT_MAX_RUNTIME_SECONDS;
    const left = Math.max(0, seconds * 1000 - this.#trainedMilliseconds);
    return setTimeout(
      () => void this.#endWith('maxRuntime', this.#context.stopGraceSeconds),
      Math.min(left, LONGEST_TIMER),
    );
  }

  #limitWait(): () => void {
    const seconds = this.#job.request.StoppingCondition.MaxWaitTimeInSeconds;
    if (seconds === undefined) return () => {};
    const grace = this.#context.stopGraceSeconds;
    const timer = setTimeout(
      () => void this.#endWith('maxWait', grace),
      Math.min(seconds * 1000, LONGEST_TIMER),
    );
    return () => clearTimeout(timer);
  }

  #note(message: string): void {
    appendToLog(this.#context.dataDir, this.#job.name, message);
    this.#context.log(`${this.#job.name}: ${message}`);
  }
}

/** Waits for all even if one fails, because their folder is deleted afterwards. */
async function waitForAll(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
