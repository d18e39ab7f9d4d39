/** Commands that need the local cloud: it is started, used, and ended whatever happens, also on Ctrl-C. */
import { resolve } from 'node:path';
import { type AwsContext, localContext, stackContext } from '../aws/context.ts';
import { exitCode, ProxytuneError } from '../core/errors.ts';
import { readAddress } from '../local/address.ts';
import { clearAwsSettings } from '../local/aws-settings.ts';
import { type LocalCloud, startLocalCloud } from '../local/cloud.ts';
import type { Output } from './output.ts';

/** Signals closer together than this are one press of Ctrl-C; a busy machine delivers them that far apart. */
const ONE_PRESS_MS = 1000;

/** Default data folder of the local cloud. */
export const DEFAULT_DATA = '.proxytune';

export interface CloudOptions {
  /** @default - `.proxytune` in the current folder */
  readonly data?: string;
  readonly heartbeatSeconds?: number;
  /** Run the full-size models, imported by import-model. @default - tiny stand-ins */
  readonly fullSize?: boolean;
  /** A stack in an AWS account, instead of the local cloud. @default - the local cloud */
  readonly stack?: string;
}

export interface Session {
  readonly cloud: LocalCloud;
  readonly aws: AwsContext;
  /** Aborted by the first Ctrl-C; a second one ends at once. */
  readonly signal: AbortSignal;
}

/** @returns what `use` returns, after everything has ended */
export async function withLocalCloud<T>(
  options: CloudOptions,
  output: Output,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  return interruptible(output, (signal) => withStarted(options, output, signal, use));
}

async function interruptible<T>(output: Output, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interruption = listenForInterruption(output);
  try {
    return await work(interruption.signal);
  } catch (error) {
    // A program that a Ctrl-C interrupted, because it got the signal too, did not fail by itself.
    interruption.signal.throwIfAborted();
    throw error;
  } finally {
    interruption.end();
  }
}

async function withStarted<T>(
  options: CloudOptions,
  output: Output,
  signal: AbortSignal,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  output.say('starting the local cloud');
  const cloud = await startLocalCloud({
    dataDir: dataFolder(options),
    signal,
    models: options.fullSize ? 'full' : 'tiny',
    ...(options.heartbeatSeconds === undefined ? {} : { heartbeatSeconds: options.heartbeatSeconds }),
  });
  for (const notice of cloud.notices) output.say(notice);
  const aws = localContext(cloud);
  try {
    return await use({ cloud, aws, signal });
  } finally {
    aws.close();
    await cloud.close();
  }
}

/**
 * For commands that only read: uses a cloud that is running on this data folder (`proxytune local`, or a run in another
 * terminal), and starts one only where there is none.
 */
export async function withContext<T>(
  options: CloudOptions,
  output: Output,
  use: (aws: AwsContext) => Promise<T>,
): Promise<T> {
  const aws = await openContext(options);
  if (aws === undefined) return withLocalCloud(options, output, (session) => use(session.aws));
  try {
    return await use(aws);
  } finally {
    aws.close();
  }
}

/** For commands that start something and must end it again: as `withContext`, but a Ctrl-C aborts their signal. */
export async function withWork<T>(
  options: CloudOptions,
  output: Output,
  use: (aws: AwsContext, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const aws = await openContext(options);
  if (aws === undefined)
    return withLocalCloud(options, output, (session) => use(session.aws, session.signal));
  return interruptible(output, async (signal) => {
    try {
      return await use(aws, signal);
    } finally {
      aws.close();
    }
  });
}

/** A cloud that is running already: a stack in an account, or a local one on this data folder. */
async function openContext(options: CloudOptions): Promise<AwsContext | undefined> {
  if (options.stack !== undefined) return stackContext(options.stack);
  const address = readAddress(dataFolder(options));
  if (address === undefined) return undefined;
  clearAwsSettings(process.env);
  return localContext(address);
}

export function dataFolder(options: CloudOptions): string {
  return resolve(options.data ?? DEFAULT_DATA);
}

function interruptedError(): ProxytuneError {
  return new ProxytuneError('Interrupted', {
    what: 'Stopped before it was done; nothing is still running',
    remedy: 'run it again when you like',
  });
}

function listenForInterruption(output: Output): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController();
  let first = 0;
  const onSignal = () => {
    // A terminal, npm and our own entry point may each pass on the same Ctrl-C.
    if (controller.signal.aborted && Date.now() - first < ONE_PRESS_MS) return;
    if (controller.signal.aborted) {
      process.stderr.write('stopped at once; a watchdog ends what is still running\n');
      process.exit(exitCode('Interrupted'));
    }
    first = Date.now();
    controller.abort(interruptedError());
    output.say('\ninterrupted: stopping (press again to stop at once)');
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: controller.signal,
    end: () => {
      // The other signals of the same press may come while the command still prints that it stopped.
      if (controller.signal.aborted) return;
      for (const name of signals) process.off(name, onSignal);
    },
  };
}

/** The flags that select the same cloud in another command, each after a space. */
export function cloudFlags({ stack, data = DEFAULT_DATA }: CloudOptions): string {
  const there = data === DEFAULT_DATA ? '' : ` --data ${JSON.stringify(data)}`;
  return stack === undefined ? there : ` --stack ${stack}`;
}
