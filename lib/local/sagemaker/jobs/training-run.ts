/** One training job, from waiting for a slot to its last status. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hostName } from '../container/folder.ts';
import { failureReason, JobFailure } from '../errors.ts';
import type { SecondaryStatus, TrainingRecord } from '../state/records.ts';
import { CLOSE_GRACE_SECONDS, type JobContext, type JobRun, jobFolder, noteInLog } from './context.ts';
import { uploadArtifacts } from './training-data.ts';
import { TrainingInstance } from './training-instance.ts';
import { moveTraining } from './training-record.ts';

/** Why a container is ended from outside. */
type Ending = 'stop' | 'maxRuntime' | 'maxWait' | 'interrupt' | 'close';

const LAST_STATUS: Partial<Record<Ending, SecondaryStatus>> = {
  stop: 'Stopped',
  maxRuntime: 'MaxRuntimeExceeded',
  maxWait: 'MaxWaitTimeExceeded',
};

/** setTimeout holds no more; a job given 28 days does not meet its limit here. */
const LONGEST_TIMER = 2 ** 31 - 1;

const DEFAULT_MAX_RUNTIME_SECONDS = 86_400;

export class TrainingRun implements JobRun {
  readonly done: Promise<void>;
  readonly #context: JobContext;
  readonly #job: TrainingRecord;
  /** One folder an instance. */
  readonly #roots: readonly string[];
  /** Aborts once the job is to end; an interruption does not count, the job goes on after it. */
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
    moveTraining(this.#context, this.#job, 'Stopping');
    void this.#end('stop', this.#context.stopGraceSeconds);
  }

  /**
   * Takes the instance away as spot does: SIGTERM, the grace, SIGKILL; the job starts again from its checkpoints.
   * @throws Error when the job is no spot job or its container does not run now
   */
  async interrupt(graceSeconds: number): Promise<void> {
    const { name, request } = this.#job;
    if (!request.EnableManagedSpotTraining) {
      throw new Error(
        `${name} is not a managed spot job, so it cannot be interrupted. Set EnableManagedSpotTraining.`,
      );
    }
    this.#mustTrain('interrupted');
    await this.#end('interrupt', graceSeconds);
  }

  /**
   * Ends the job as its MaxRuntimeInSeconds would, of which no training could have less than a minute.
   * @throws Error when its container does not run now
   */
  async exceedRuntime(): Promise<void> {
    this.#mustTrain('out of time');
    await this.#end('maxRuntime', this.#context.stopGraceSeconds);
  }

  #mustTrain(what: string): void {
    if (this.#instances.some((instance) => instance.running) && !this.#ending) return;
    const { name, secondary } = this.#job;
    throw new Error(`${name} is ${secondary}; only a job that is Training can be ${what}. Wait for it.`);
  }

  async close(): Promise<void> {
    // Whatever ended the job before, its container gets no more time than closing allows.
    this.#ending = 'close';
    this.#ended.abort();
    await this.#stopAll(CLOSE_GRACE_SECONDS);
    await this.done;
  }

  /** The first ending wins, but for a stop while an interruption is under way: the job must not come back. */
  async #end(ending: Ending, graceSeconds: number): Promise<void> {
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

  /** Runs the container until it ends other than by interruption; undefined when it ended well by itself. */
  async #attempts(): Promise<Ending | undefined> {
    for (;;) {
      const begun = Date.now();
      try {
        await this.#attempt();
      } finally {
        this.#billedMilliseconds += Date.now() - begun;
      }
      if (this.#ending !== 'interrupt') return this.#ending;
      moveTraining(this.#context, this.#job, 'Interrupted');
      this.#ending = undefined;
      moveTraining(this.#context, this.#job, 'Restarting');
    }
  }

  async #attempt(): Promise<void> {
    if (this.#ending) return;
    moveTraining(this.#context, this.#job, 'Downloading');
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
    await allOver(instances.map((instance) => instance.prepare()));
    // Asked again, since a stop may have come while data was on its way.
    if (this.#ending) return;
    this.#instances = instances;
    moveTraining(this.#context, this.#job, 'Training');
    try {
      const failed = await this.#train();
      if (this.#ending === 'close') return;
      for (const instance of instances) await instance.finish();
      if (!this.#ending && failed) throw await this.#algorithmError(failed);
    } finally {
      for (const instance of instances) await instance.abandon();
    }
  }

  /** Runs all containers to their ends. @returns the first that failed, which ends the others too */
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
      // An ending that came while the process was being started found no container to stop.
      if (this.#ending) void instance.stop(this.#ending === 'close' ? CLOSE_GRACE_SECONDS : this.#grace);
      const exitCode = await instance.ended();
      if (exitCode === 0 || failed || this.#ending) return;
      failed = { instance, exitCode };
      await this.#stopAll(this.#context.stopGraceSeconds);
    };
    try {
      await allOver(this.#instances.map(run));
      return failed;
    } finally {
      clearTimeout(timer);
      this.#trainedMilliseconds += Date.now() - begun;
    }
  }

  async #algorithmError(failed: { instance: TrainingInstance; exitCode: number }): Promise<JobFailure> {
    const message = (await failed.instance.failure()) || 'See job logs for more information';
    const tail = `, exit code: ${failed.exitCode}`;
    // The exit code is what a long message must not push out of the 1024 characters.
    return new JobFailure(`AlgorithmError: ${message}`.slice(0, 1024 - tail.length) + tail);
  }

  /**
   * Artifacts go up after success and also after a stop or a limit: what is saved is never thrown away. Those of the
   * first instance, where jobs of several save them.
   */
  async #conclude(ending: Ending | undefined): Promise<void> {
    const ran = this.#job.transitions.some(({ status }) => status === 'Training');
    if (ran) {
      moveTraining(this.#context, this.#job, 'Uploading');
      this.#job.artifacts = await uploadArtifacts(
        this.#context.objects,
        this.#job.request,
        this.#roots[0] ?? '',
      );
    }
    this.#countBilling();
    moveTraining(this.#context, this.#job, (ending && LAST_STATUS[ending]) ?? 'Completed');
    this.#note(`job ended: ${this.#job.secondary}`);
  }

  #fail(error: unknown): void {
    this.#job.failureReason = failureReason(error);
    this.#countBilling();
    moveTraining(this.#context, this.#job, 'Failed', this.#job.failureReason);
    this.#note(`job failed: ${this.#job.failureReason}`);
  }

  #countBilling(): void {
    if (this.#job.started !== undefined) {
      this.#job.billableSeconds = Math.max(1, Math.ceil(this.#billedMilliseconds / 1000));
    }
  }

  /** The limit covers all attempts together. */
  #limitRuntime(): NodeJS.Timeout {
    const seconds = this.#job.request.StoppingCondition.MaxRuntimeInSeconds ?? DEFAULT_MAX_RUNTIME_SECONDS;
    const left = Math.max(0, seconds * 1000 - this.#trainedMilliseconds);
    return setTimeout(
      () => void this.#end('maxRuntime', this.#context.stopGraceSeconds),
      Math.min(left, LONGEST_TIMER),
    );
  }

  #limitWait(): () => void {
    const seconds = this.#job.request.StoppingCondition.MaxWaitTimeInSeconds;
    if (seconds === undefined) return () => {};
    const grace = this.#context.stopGraceSeconds;
    const timer = setTimeout(() => void this.#end('maxWait', grace), Math.min(seconds * 1000, LONGEST_TIMER));
    return () => clearTimeout(timer);
  }

  #note(message: string): void {
    noteInLog(this.#context.dataDir, this.#job.name, message);
    this.#context.log(`${this.#job.name}: ${message}`);
  }
}

/** Waits for all, also when one fails: what is on its way must not go on in a folder that is taken away. */
async function allOver(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
