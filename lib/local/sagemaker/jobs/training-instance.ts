/** One instance of a training job: its folder, its data, and its container. */
import { Container } from '../container/container.ts';
import { containerEnvironment } from '../container/environment.ts';
import { checkpointFolder, createRoot, failureMessage, writeTrainingConfig } from '../container/folder.ts';
import type { TrainingRecord } from '../state/records.ts';
import { CheckpointMirror } from '../transfer/checkpoint-mirror.ts';
import { parseLocation } from '../transfer/location.ts';
import { type JobContext, jobLogFile } from './context.ts';
import { downloadChannels } from './training-data.ts';

export interface TrainingInstanceOptions {
  readonly context: JobContext;
  readonly job: TrainingRecord;
  /** The folder used as the container's `/`. */
  readonly root: string;
  /** The name of this instance, for its container. */
  readonly host: string;
  readonly hosts: readonly string[];
  readonly warn: (message: string) => void;
}

export class TrainingInstance {
  readonly #options: TrainingInstanceOptions;
  readonly #mirror: CheckpointMirror | undefined;
  #container: Container | undefined;

  constructor(options: TrainingInstanceOptions) {
    this.#options = options;
    const { context, job, root, warn } = options;
    const config = job.request.CheckpointConfig;
    if (config) {
      const folder = checkpointFolder(root, job.request);
      this.#mirror = new CheckpointMirror({
        objects: context.objects,
        folder,
        target: parseLocation(config.S3Uri),
        warn,
        removesForeign: context.mirrorsRemoveForeign,
      });
    }
  }

  get running(): boolean {
    return this.#container?.running ?? false;
  }

  /** Prepares the folder. @throws JobFailure if data cannot be downloaded */
  async prepare(): Promise<void> {
    const { context, job, root, host, hosts } = this.#options;
    await createRoot(root);
    await writeTrainingConfig(root, job.request, { host, hosts });
    await downloadChannels(context.objects, job.request, root);
    await this.#mirror?.restore();
  }

  /** Starts the container and the checkpoint mirror. */
  async start(): Promise<void> {
    const { context, job, root } = this.#options;
    const { request, name, arn } = job;
    const env = containerEnvironment({
      root,
      s3: context.s3,
      service: context.containerEnv,
      request: request.Environment ?? {},
      platform: { TRAINING_JOB_NAME: name, TRAINING_JOB_ARN: arn },
      isolated: request.EnableNetworkIsolation ?? false,
    });
    this.#mirror?.start();
    this.#container = await Container.start({
      command: context.commands.train,
      env,
      folder: root,
      logFile: jobLogFile(context.dataDir, name),
      watchdog: context.watchdog,
    });
  }

  /** Waits for the end of the container and returns its exit code. */
  async ended(): Promise<number> {
    return (await this.#container?.exited) ?? 0;
  }

  async stop(graceSeconds: number): Promise<void> {
    await this.#container?.stop(graceSeconds);
  }

  /** Uploads the remaining changes and ends the mirror. */
  async finish(): Promise<void> {
    await this.#mirror?.finish();
  }

  /** Ends the mirror without a last upload. */
  async abandon(): Promise<void> {
    await this.#mirror?.abandon();
  }

  /** Reads the container's failure message. */
  failure(): Promise<string> {
    return failureMessage(this.#options.root);
  }
}
