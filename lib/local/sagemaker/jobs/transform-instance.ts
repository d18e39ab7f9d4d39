/** One instance of a transform job: its folder, its model server, and its share of the objects. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { Container } from '../container/container.ts';
import { containerEnvironment } from '../container/environment.ts';
import { createRoot } from '../container/folder.ts';
import { JobFailure } from '../errors.ts';
import { containersOf } from '../rules/model.ts';
import type { ModelRequest, TransformRequest } from '../state/requests.ts';
import { unpack } from '../transfer/archive.ts';
import { withLinkedFolders } from '../transfer/linked.ts';
import { inside, parseLocation } from '../transfer/location.ts';
import type { SourceObject } from '../transfer/sources.ts';
import { appendToLog, type JobContext, jobFolder, jobLogFile } from './context.ts';
import {
  type ExecutionParameters,
  executionParameters,
  freePort,
  invoke,
  ping,
  type ServerResponse,
} from './server-client.ts';

const PING_PAUSE_MILLISECONDS = 250;
const RETRY_PAUSE_MILLISECONDS = 250;
const PING_LIMIT_MILLISECONDS = 30 * 60_000;
const MEGABYTE = 1024 * 1024;

export interface InstanceOptions {
  readonly context: JobContext;
  readonly request: TransformRequest;
  readonly model: ModelRequest;
  readonly index: number;
  /** Aborted when the job must end. */
  readonly signal: AbortSignal;
  /** Called with the name of each stored output. */
  readonly onStored: (name: string) => void;
}

/** The number of objects that an instance failed to transform, and the reason of the first failure. */
export interface InstanceResult {
  readonly failed: number;
  readonly firstFailure?: string;
}

export class TransformInstance {
  readonly #options: InstanceOptions;
  readonly #root: string;
  #starting: Promise<Container> | undefined;
  #container: Container | undefined;
  #port = 0;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.#root = join(
      jobFolder(options.context.dataDir, options.request.TransformJobName),
      `instance-${options.index}`,
    );
  }

  /**
   * Unpacks the model, starts the server and waits until it answers pings.
   * @throws JobFailure if the model cannot be unpacked or the server does not become ready
   */
  async start(modelArchive: string | undefined): Promise<void> {
    const { context, request, signal } = this.#options;
    await createRoot(this.#root);
    if (modelArchive) await unpack(modelArchive, join(this.#root, 'opt/ml/model'));
    this.#port = await freePort();
    if (signal.aborted) return;
    const env = await this.#environment();
    this.#starting = Container.start({
      command: context.commands.serve,
      env,
      folder: this.#root,
      logFile: jobLogFile(context.dataDir, request.TransformJobName),
      watchdog: context.watchdog,
    });
    this.#container = await this.#starting;
    await this.#waitUntilReady(this.#container);
  }

  /** Transforms the objects, several at a time; an object that fails has no output and does not affect the others. */
  async transform(objects: readonly SourceObject[]): Promise<InstanceResult> {
    const { request } = this.#options;
    const own = await executionParameters(this.#port);
    const limits = {
      MaxConcurrentTransforms: request.MaxConcurrentTransforms || own.MaxConcurrentTransforms || 1,
      MaxPayloadInMB: request.MaxPayloadInMB ?? own.MaxPayloadInMB ?? 6,
    };
    this.#note(
      `MaxConcurrentTransforms=${limits.MaxConcurrentTransforms}, MaxPayloadInMB=${limits.MaxPayloadInMB}`,
    );
    const queue = [...objects];
    const failures: string[] = [];
    const worker = async () => {
      for (let next = queue.shift(); next && !this.#options.signal.aborted; next = queue.shift()) {
        const failure = await this.#transformObject(next, limits);
        if (failure) failures.push(failure);
      }
    };
    await Promise.all(Array.from({ length: limits.MaxConcurrentTransforms }, worker));
    return { failed: failures.length, ...(failures[0] && { firstFailure: failures[0] }) };
  }

  async end(graceSeconds: number): Promise<void> {
    const container = await this.#starting?.catch(() => undefined);
    await container?.stop(graceSeconds);
    await rm(this.#root, { recursive: true, force: true });
  }

  async #environment(): Promise<Record<string, string>> {
    const { context, request, model } = this.#options;
    const { MaxConcurrentTransforms: concurrent, MaxPayloadInMB: payload, BatchStrategy: strategy } = request;
    const requested = { ...containersOf(model)[0]?.Environment, ...request.Environment };
    return containerEnvironment({
      root: this.#root,
      s3: context.s3,
      service: context.containerEnv,
      request: await withLinkedFolders(context.serviceObjects, requested),
      platform: {
        SAGEMAKER_BATCH: 'true',
        // SageMaker always uses 8080; on one machine each server needs its own port.
        SAGEMAKER_BIND_TO_PORT: String(this.#port),
        ...(concurrent !== undefined && { SAGEMAKER_MAX_CONCURRENT_TRANSFORMS: String(concurrent) }),
        ...(payload !== undefined && { SAGEMAKER_MAX_PAYLOAD_IN_MB: String(payload) }),
        ...(strategy && {
          SAGEMAKER_BATCH_STRATEGY: strategy === 'SingleRecord' ? 'SINGLE_RECORD' : 'MULTI_RECORD',
        }),
      },
      isolated: model.EnableNetworkIsolation ?? false,
    });
  }

  async #waitUntilReady(container: Container): Promise<void> {
    const deadline = Date.now() + PING_LIMIT_MILLISECONDS;
    const { signal } = this.#options;
    while (!signal.aborted) {
      if (await ping(this.#port)) return;
      if (!container.running && !signal.aborted) {
        throw new JobFailure(
          'AlgorithmError: See job logs for more information. The container ended before it answered /ping ' +
            `with 200, exit code: ${await container.exited}`,
        );
      }
      if (Date.now() > deadline) {
        throw new JobFailure(
          'AlgorithmError: The container did not answer /ping with 200 within 30 minutes.',
        );
      }
      await Promise.race([sleep(PING_PAUSE_MILLISECONDS), container.exited]);
    }
  }

  /** @returns why the object failed; undefined if its output is stored or the job is ending */
  async #transformObject(
    object: SourceObject,
    limits: Required<ExecutionParameters>,
  ): Promise<string | undefined> {
    const { context, request, signal, onStored } = this.#options;
    try {
      const content = await context.objects.read(object.location);
      const body = request.TransformInput.CompressionType === 'Gzip' ? gunzipSync(content) : content;
      if (limits.MaxPayloadInMB > 0 && body.length > limits.MaxPayloadInMB * MEGABYTE) {
        throw new Error(`${body.length} bytes are more than MaxPayloadInMB=${limits.MaxPayloadInMB}`);
      }
      const output = await this.#invoke(object, body);
      if (signal.aborted) return undefined;
      const name = `${object.name}.out`;
      await context.objects.write(output, inside(parseLocation(request.TransformOutput.S3OutputPath), name));
      onStored(name);
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      const failure = `${object.location.key}: ${error instanceof Error ? error.message : error}`;
      this.#note(failure);
      return failure;
    }
  }

  /** Retries all failures: SageMaker does not document which ones, and the API mentions failing requests. */
  async #invoke(object: SourceObject, body: Buffer): Promise<Buffer> {
    const { request, signal } = this.#options;
    const { InvocationsTimeoutInSeconds: timeoutSeconds = 600, InvocationsMaxRetries: retries = 3 } =
      request.ModelClientConfig ?? {};
    const headers = {
      ...(request.TransformInput.ContentType && { 'Content-Type': request.TransformInput.ContentType }),
      ...(request.TransformOutput.Accept && { Accept: request.TransformOutput.Accept }),
    };
    for (let attempt = 0; ; attempt += 1) {
      const response = await invoke({ port: this.#port, body, headers, timeoutSeconds, signal }).catch(
        asError,
      );
      if (!(response instanceof Error) && response.status === 200) return response.body;
      const problem = response instanceof Error ? response.message : badStatus(response);
      // A connection breaks shortly before the end of its process is detected.
      if (response instanceof Error)
        await Promise.race([sleep(RETRY_PAUSE_MILLISECONDS), this.#container?.exited]);
      if (this.#container && !this.#container.running) {
        throw new Error(`the container has ended, exit code: ${await this.#container.exited}`);
      }
      if (attempt >= retries || signal.aborted) throw new Error(problem);
      this.#note(`${object.location.key}: ${problem}; retry ${attempt + 1} of ${retries}`);
    }
  }

  #note(message: string): void {
    const { context, request } = this.#options;
    appendToLog(context.dataDir, request.TransformJobName, message);
  }
}

function badStatus({ status, body }: ServerResponse): string {
  return `Bad HTTP status received from algorithm: ${status} ${body.toString('utf8', 0, 500)}`.trim();
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
