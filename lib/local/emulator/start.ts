/** Starts and ends the emulator: MiniStack with our repairs, as a process group on a free port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type ErrorName, isErrorName, ProxytuneError } from '../../core/errors.ts';
import { NO_AWS_FILES } from '../aws-settings.ts';
import { lambdaPlaces } from '../lambda-places.ts';

/** Timeout of a start in seconds. It takes one second on an idle machine, but four jobs may be running. */
const START_SECONDS = 60;
/** Seconds for a clean shutdown: MiniStack waits three for open connections, then saves its state. */
const END_SECONDS = 15;
/** Number of free ports to try if other processes take them meanwhile. */
const PORTS_TRIED = 3;
const HERE = dirname(fileURLToPath(import.meta.url));

export interface EmulatorOptions {
  /** The folder for objects, state and log, created if it is missing; for one emulator at a time. */
  readonly dataDir: string;
  /** @default - the port of the last start with this folder if it is free, else any free one */
  readonly port?: number;
  /** More environment variables for the emulator and its functions, such as AWS_ENDPOINT_URL_SFN. @default - none */
  readonly env?: Readonly<Record<string, string>>;
  /** The Python of the virtual environment with MiniStack. */
  readonly python: string;
  /** Synchronous invocations that run at once, and asynchronous ones; more wait. @default - by cores and memory */
  readonly lambdaPlaces?: number;
  /** The Node that runs functions. @default - the Node that runs this */
  readonly node?: string;
  /** The secret with which our services ask it who may do what. @default - it answers nobody */
  readonly secret?: string;
  /** A file that gets a line for each call that is judged, in the form of `lib/local/iam/trace.ts`. @default - no trace */
  readonly trace?: string;
  /** Called with a line when the emulator starts or ends. @default - silent */
  readonly log?: (line: string) => void;
}

export interface Emulator {
  /** The endpoint of all AWS services of the emulator, `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  readonly pid: number;
  /** The file with the emulator's output. */
  readonly logFile: string;
  /** Fulfilled when the process has ended, whether it was closed or crashed. */
  readonly ended: Promise<void>;
  /** Shuts it down cleanly, saving its state, or kills it after 15 seconds; its functions end with it. */
  close(): Promise<void>;
}

/**
 * Starts the emulator and waits until it responds.
 *
 * It ends with this process, even if that is killed. Its data persists in `dataDir`.
 *
 * @throws ProxytuneError `EmulatorVersion` if MiniStack is not the supported version; `LocalCloudFailed` if it
 *   does not start, or another emulator uses the folder.
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const dataDir = resolve(options.dataDir);
  mkdirSync(join(dataDir, 'state'), { recursive: true });
  const { port } = options;
  if (port !== undefined) return startOn(port, dataDir, options);
  return withFreePort(async () => startOn(await choosePort(join(dataDir, 'port')), dataDir, options));
}

/** Starts again, with another port, if another process takes a port after it was chosen and before it is used. */
export async function withFreePort<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      const inUse = error instanceof ProxytuneError && error.facts.given?.includes('already in use');
      if (!inUse || attempt === PORTS_TRIED) throw error;
    }
  }
}

async function startOn(port: number, dataDir: string, options: EmulatorOptions): Promise<Emulator> {
  const logFile = join(dataDir, 'emulator.log');
  const log = openSync(logFile, 'a', 0o600);
  const logStart = statSync(logFile).size;
  const child = spawn(absolutePython(options.python), ['-m', 'repairs'], {
    env: environment(dataDir, port, options),
    // Its own process group, so that Ctrl-C does not reach it too early and all its processes can be ended.
    detached: true,
    stdio: ['pipe', log, log],
  });
  closeSync(log);
  // Closing the input of a child that has ended may fail.
  child.stdin?.on('error', () => undefined);
  const ended = new Promise<void>((done) => {
    child.once('exit', () => done());
    child.once('error', () => done());
  });
  const endpoint = `http://127.0.0.1:${port}`;
  try {
    await untilHealthy(child, endpoint, () => readFileSync(logFile).subarray(logStart).toString());
  } catch (error) {
    await end(child, ended);
    throw error;
  }
  writeFileSync(join(dataDir, 'port'), String(port));
  options.log?.(`The emulator is listening at ${endpoint}`);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= end(child, ended).then(() => options.log?.('The emulator has ended'));
    return closing;
  };
  return { endpoint, pid: child.pid ?? 0, logFile, ended, close };
}

function absolutePython(python: string): string {
  const path = resolve(python);
  if (existsSync(path)) return path;
  throw new ProxytuneError('LocalCloudFailed', {
    what: 'The Python that runs the local cloud was not found',
    given: path,
    remedy: 'run `npm run demo` or `npm test` once, which sets up .venv',
  });
}

/** The environment of the emulator and its functions, without the caller's own, which may have an AWS profile. */
function environment(dataDir: string, port: number, options: EmulatorOptions): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    LANG: 'C.UTF-8',
    TMPDIR: join(dataDir, 'tmp'),
    PYTHONPATH: HERE,
    PYTHONDONTWRITEBYTECODE: '1',
    GATEWAY_PORT: String(port),
    BIND_HOST: '127.0.0.1',
    // The host in queue addresses and CloudFormation callbacks.
    MINISTACK_HOST: '127.0.0.1',
    S3_PERSIST: '1',
    S3_DATA_DIR: join(dataDir, 's3'),
    PROXYTUNE_LAMBDA_PLACES: String(options.lambdaPlaces ?? lambdaPlaces()),
    // Seconds after which environments of a burst that have stayed idle are ended; each function keeps one.
    LAMBDA_WARM_TTL_SECONDS: '30',
    PERSIST_STATE: '1',
    STATE_DIR: join(dataDir, 'state'),
    // Unused listeners on fixed ports, on which two local clouds would conflict.
    SFTP_ENABLED: '0',
    IOT_MTLS_ENABLED: '0',
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    ...NO_AWS_FILES,
    // Every request is judged by the policies of whoever makes it.
    AUTH: 'true',
    ...(options.secret === undefined ? {} : { PROXYTUNE_SECRET: options.secret }),
    ...(options.trace === undefined ? {} : { PROXYTUNE_TRACE: resolve(options.trace) }),
    PROXYTUNE_NODE: options.node ?? process.execPath,
    ...options.env,
  };
}

/** Chooses the port of the last start, because queue URLs in a deployed stack contain it, or a free one. */
export async function choosePort(remembered: string): Promise<number> {
  const last = existsSync(remembered) ? Number.parseInt(readFileSync(remembered, 'utf8'), 10) || 0 : 0;
  const valid = last > 0 && last < 65_536;
  return (valid ? await freePort(last) : undefined) ?? (await freePort(0)) ?? 0;
}

function freePort(port: number): Promise<number | undefined> {
  return new Promise((resolvePort) => {
    const probe = createServer();
    probe.once('error', () => resolvePort(undefined));
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        resolvePort(typeof address === 'object' && address !== null ? address.port : undefined),
      );
    });
  });
}

async function untilHealthy(child: ChildProcess, endpoint: string, printed: () => string): Promise<void> {
  const deadline = Date.now() + START_SECONDS * 1000;
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
      throw startError(printed());
    const health = await fetch(`${endpoint}/_ministack/health`, { signal: AbortSignal.timeout(2000) }).catch(
      () => null,
    );
    if (health?.ok) return;
    await sleep(50);
  }
  throw startError(printed());
}

function startError(printed: string): ProxytuneError {
  const [, name, message] = /^(EmulatorVersion|LocalCloudFailed): (.+)$/m.exec(printed) ?? [];
  if (name !== undefined && isErrorName(name) && message !== undefined) return printedError(name, message);
  return new ProxytuneError('LocalCloudFailed', {
    what: 'The emulator did not start',
    given: printed.trim().split('\n').slice(-5).join('\n') || `no answer in ${START_SECONDS} s`,
    remedy: 'read emulator.log in the data folder',
  });
}

function printedError(name: ErrorName, message: string): ProxytuneError {
  const [, what = message, given, allowed, remedy = ''] =
    /^(.*?)(?: Given: (.*?))?(?: Allowed: (.*?))?(?: What to do: (.*))?$/.exec(message) ?? [];
  return new ProxytuneError(name, { what, given, allowed, remedy });
}

async function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.pid === undefined) return;
  if (child.exitCode === null && child.signalCode === null) {
    child.stdin?.end();
    const timer = new AbortController();
    await Promise.race([
      ended,
      sleep(END_SECONDS * 1000, undefined, { signal: timer.signal }).catch(() => undefined),
    ]);
    timer.abort();
  }
  try {
    // Kill the rest of the group, such as a function that does not end.
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group has already ended.
  }
  await ended;
}
