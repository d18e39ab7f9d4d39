/** One batch transform job, from waiting for a slot to its final status. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { failureReason, JobFailure } from '../errors.ts';
import { containersOf } from '../rules/model.ts';
import type { JobStatus, ModelRecord, TransformRecord } from '../state/records.ts';
import { inside, parseLocation } from '../transfer/location.ts';
import { type SourceObject, sourceObjects } from '../transfer/sources.ts';
import { appendToLog, CLOSE_GRACE_SECONDS, type JobContext, type JobRun, jobFolder } from './context.ts';
import { type InstanceResult, TransformInstance } from './transform-instance.ts';

export class TransformRun implements JobRun {
  readonly done: Promise<void>;
  readonly #context: JobContext;
  readonly #job: TransformRecord;
  readonly #model: ModelRecord;
  readonly #ended = new AbortController();
  #ending: 'stop' | 'close' | undefined;
  readonly #stored = new Set<string>();
  #instances: TransformInstance[] = [];

  constructor(context: JobContext, job: TransformRecord, model: ModelRecord) {
    this.#context = context;
    this.#job = job;
    this.#model = model;
    this.done = this.#run();
  }

  stop(): void {
    this.#setStatus('Stopping');
    this.#ending ??= 'stop';
    this.#ended.abort();
  }

  async close(): Promise<void> {
    this.#ending = 'close';
    this.#ended.abort();
    await this.#endInstances(CLOSE_GRACE_SECONDS);
    await this.done;
  }

  async #run(): Promise<void> {
    const release = await this.#context.slots.acquire(this.#ended.signal);
    try {
      if (release && !this.#ending) await this.#transform();
      await this.#conclude();
    } catch (error) {
      if (this.#ending) await this.#conclude();
      else this.#fail(error);
    } finally {
      await this.#endInstances(CLOSE_GRACE_SECONDS);
      release?.();
    }
  }

  async #transform(): Promise<void> {
    const { request } = this.#job;
    this.#job.started = Date.now();
    this.#setStatus('InProgress');
    await this.#context.roles.prepare(
      {
        role: this.#model.request.ExecutionRoleArn,
        arn: this.#job.arn,
        name: this.#job.name,
        kind: 'TransformJobs',
        image: containersOf(this.#model.request)[0]?.Image,
      },
      (message) => this.#note(message),
    );
    const objects = await sourceObjects(
      this.#context.objects,
      request.TransformInput.DataSource.S3DataSource,
    );
    const archive = await this.#fetchModel();
    this.#instances = Array.from({ length: request.TransformResources.InstanceCount }, (_, index) =>
      this.#instance(index),
    );
    const work = this.#instances.map(async (instance, index) => {
      await instance.start(archive);
      return instance.transform(share(objects, index, this.#instances.length));
    });
    try {
      const results = await Promise.all(work);
      if (!this.#ending) requireNoFailures(results, objects.length);
    } finally {
      // If one instance fails, the others must end too, and none may start a server after this.
      this.#ended.abort();
      await this.#endInstances(
        this.#ending === 'close' ? CLOSE_GRACE_SECONDS : this.#context.stopGraceSeconds,
      );
      await Promise.allSettled(work);
      await this.#endInstances(CLOSE_GRACE_SECONDS);
      if (archive) await rm(archive, { force: true });
    }
  }

  #instance(index: number): TransformInstance {
    return new TransformInstance({
      context: this.#context,
      request: this.#job.request,
      model: this.#model.request,
      index,
      signal: this.#ended.signal,
      onStored: (name) => this.#stored.add(name),
    });
  }

  async #fetchModel(): Promise<string | undefined> {
    const url = containersOf(this.#model.request)[0]?.ModelDataUrl;
    if (!url) return undefined;
    const file = join(jobFolder(this.#context.dataDir, this.#job.name), 'model.tar.gz');
    try {
      await this.#context.objects.download(parseLocation(url), file);
    } catch (error) {
      throw new JobFailure(`ClientError: Data download failed:${error} (${url})`);
    }
    return file;
  }

  async #endInstances(graceSeconds: number): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance.end(graceSeconds)));
  }

  async #conclude(): Promise<void> {
    if (this.#ending === 'close') return;
    if (this.#ending === 'stop') await this.#discardOutputs();
    this.#job.ended = Date.now();
    this.#setStatus(this.#ending === 'stop' ? 'Stopped' : 'Completed');
    this.#note(`job ended: ${this.#job.status}`);
  }

  /** Deletes the outputs. SageMaker never stores those of a stopped job, so the role needs no permission for it. */
  async #discardOutputs(): Promise<void> {
    const output = parseLocation(this.#job.request.TransformOutput.S3OutputPath);
    for (const name of this.#stored) await this.#context.serviceObjects.delete(inside(output, name));
  }

  #fail(error: unknown): void {
    this.#job.failureReason = failureReason(error);
    this.#job.ended = Date.now();
    this.#setStatus('Failed');
    this.#note(`job failed: ${this.#job.failureReason}`);
  }

  #setStatus(status: JobStatus): void {
    this.#job.status = status;
    this.#job.modified = Date.now();
    this.#context.state.transformJobs.put(this.#job);
    this.#context.events.transform(this.#job);
  }

  #note(message: string): void {
    appendToLog(this.#context.dataDir, this.#job.name, message);
    this.#context.log(`${this.#job.name}: ${message}`);
  }
}

/** Selects an instance's share: SageMaker distributes complete objects by key among the instances. */
function share(objects: readonly SourceObject[], index: number, instances: number): SourceObject[] {
  return objects.filter((_, position) => position % instances === index);
}

function requireNoFailures(results: readonly InstanceResult[], total: number): void {
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  if (failed === 0) return;
  const first = results.find((result) => result.firstFailure)?.firstFailure;
  throw new JobFailure(
    `AlgorithmError: See job logs for more information. ${failed} of ${total} objects failed, first ${first}`,
  );
}
