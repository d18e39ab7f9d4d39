/** `proxytune run --local DIR`: uploads the photos, and watches the run that the upload starts until its report. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startExecution } from '../../aws/executions.ts';
import { readPlan } from '../../aws/runs.ts';
import { type BucketContext, findText } from '../../aws/s3.ts';
import type { TableContext } from '../../aws/table.ts';
import { LARGEST_BUDGET } from '../../core/contract/fields.ts';
import { exitCode, ProxytuneError } from '../../core/errors.ts';
import { jobError } from '../../core/jobs/messages.ts';
import { keys } from '../../core/keys.ts';
import { modelsFor, scaleOf } from '../../core/plan/make-plan.ts';
import type { Plan } from '../../core/plan/plan.ts';
import { parseRequest } from '../../core/request/request.ts';
import { eachModel } from '../../core/words.ts';
import { requireSpace } from '../../local/data-folder.ts';
import { ensureModels } from '../../local/models.ts';
import { findFirstImage } from '../first-image.ts';
import { logOf } from '../job-log.ts';
import type { Output } from '../output.ts';
import { costLine, standInLines } from '../plan/stand-ins.ts';
import { type RunView, readRunView } from '../run-state.ts';
import { type CloudOptions, type Session, withLocalCloud } from '../session.ts';
import { stopRuns } from '../stop.ts';
import { openSubject, type SubjectFolder, uploadSubject } from '../subject.ts';
import { watchRun } from '../watch.ts';
import { planOf } from './plan.ts';
import { chooseRun, fetchReport } from './report.ts';

export interface RunOptions extends CloudOptions {
  readonly local?: boolean;
  /** Name of the subject. @default - the folder's name */
  readonly subject?: string;
  /** A run to resume instead of a new upload. @default - a new run */
  readonly resume?: string;
  /** A line before the report's path, such as what to do next with the run. @default - none */
  readonly next?: (runId: string) => string;
  /** Fields of subject.json, which win over those of the folder's own. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** How long an upload may take to become a run; it takes a second on an idle machine. */
const START_PATIENCE_MS = 60_000;

/** @throws what the run failed of, under its own name */
export async function runCommand(
  dir: string | undefined,
  options: RunOptions,
  output: Output,
): Promise<number> {
  if (!options.local) throw onlyLocal();
  if (options.resume !== undefined) requireNothingElse(dir, options.fields);
  const upload = options.resume === undefined ? prepare(dir, options) : undefined;
  for (const line of upload?.notice ?? []) output.say(line);
  return withLocalCloud(options, output, async (session) => {
    const { aws, signal } = session;
    const asked = upload === undefined ? await resume(session, options) : await begin(session, upload);
    const { runId, before } = asked;
    output.say(`run ${runId}: ${before === null ? 'photos uploaded; the upload starts it' : 'resumed'}`);
    // Not cut short by a Ctrl-C: what was asked for must first exist to be stopped.
    await untilStarted(aws, runId, before, session.cloud.dataDir);
    const firstImage = findFirstImage(aws, session.cloud.dataDir);
    const view = await watchRun(aws, runId, output, signal, firstImage);
    if (signal.aborted && view?.status !== 'SUCCEEDED') return interrupted(session, runId, output);
    return conclude(session, view, runId, output, options.next);
  });
}

/** A resumed run keeps its photos and its request; what is given besides would be ignored without a word. */
function requireNothingElse(dir: string | undefined, fields: Readonly<Record<string, unknown>>): void {
  const given = [dir, ...Object.keys(fields)].filter((name) => name !== undefined);
  if (given.length === 0) return;
  throw new ProxytuneError('UsageInvalid', {
    what: 'A resumed run keeps the photos and the request that it started with',
    given: `--resume with ${given.join(', ')}`,
    allowed: 'npx proxytune run --local --resume RUN',
    remedy: 'leave the rest out, or start a new run without --resume',
  });
}

interface Upload {
  readonly folder: SubjectFolder;
  readonly request: Record<string, unknown>;
  /** Catalogue ids of the models that it needs on this machine. */
  readonly models: readonly string[];
  /** Lines to print before it begins. */
  readonly notice: readonly string[];
}

/** Refuses a wrong request before anything is started; the cloud would say the same, only later. */
function prepare(dir: string | undefined, options: RunOptions): Upload {
  if (dir === undefined) {
    throw new ProxytuneError('UsageInvalid', {
      what: 'A folder of photos is needed',
      allowed: 'npx proxytune run --local DIR --category dog, or --resume RUN',
      remedy: 'name the folder',
    });
  }
  const folder = openSubject(dir, options.subject);
  const request = { ...folder.request, ...options.fields };
  const scale = options.fullSize ? 'full' : 'tiny';
  const models = modelsFor(parseRequest(JSON.stringify(request)), scale);
  // No budget is spent here, so none refuses the price that is reported.
  const fields = { ...options.fields, maxUsd: LARGEST_BUDGET };
  const notice = scaleOf(models) === 'tiny' ? standInLines(planOf(dir, { fields })) : [];
  return { folder, request, models: eachModel(models).map(({ id }) => id), notice };
}

/** A run that was asked for, and when an execution of it began before; null when none did. */
interface Asked {
  readonly runId: string;
  readonly before: string | null;
}

async function begin(session: Session, { folder, request, models }: Upload): Promise<Asked> {
  const { aws, cloud, signal } = session;
  await ensureModels(cloud, { ids: models, signal });
  signal.throwIfAborted();
  return { runId: await uploadSubject(aws, folder, request, signal), before: null };
}

/** Starts the machine again on the same run: stages that are done are found done, trainings resume. */
async function resume(
  { aws, cloud, signal }: Session,
  { resume: named = '', fullSize = false }: RunOptions,
): Promise<Asked> {
  const runId = await chooseRun(aws, named);
  const before = (await readRunView(aws, runId))?.begunAt ?? null;
  const plan = await findText(aws, keys.plan(runId));
  if (plan === undefined) {
    throw new ProxytuneError('RunUnknown', {
      what: 'The run was never planned, so there is nothing to resume',
      given: runId,
      remedy: 'start a new run from its folder of photos',
    });
  }
  const { bucket, subject, models } = JSON.parse(plan) as Pick<Plan, 'bucket' | 'subject' | 'models'>;
  requireSameScale(runId, models, fullSize);
  await ensureModels(cloud, { ids: eachModel(models).map(({ id }) => id), signal });
  signal.throwIfAborted();
  const input = { runId, bucket, subject, key: keys.request(subject), version: '' };
  const name = `${runId}-r${Date.now().toString(36)}`;
  await startExecution(aws, { stateMachine: aws.stateMachine, name, input });
  return { runId, before };
}

/** Its jobs would be taken for those of other models. @throws UsageInvalid */
export function requireSameScale(runId: string, models: Plan['models'], fullSize: boolean): void {
  const scale = scaleOf(models);
  if (scale === undefined || (scale === 'full') === fullSize) return;
  const flag = scale === 'full' ? ' --full-size' : '';
  throw new ProxytuneError('UsageInvalid', {
    what: `The run was started ${fullSize ? 'with tiny models' : 'with the full-size models'}`,
    given: `--resume ${runId} ${fullSize ? 'with' : 'without'} --full-size`,
    allowed: `npx proxytune run --local${flag} --resume ${runId}`,
    remedy: 'resume it as it was started',
  });
}

/** A refused run may be over before it was ever seen running, so any sight of it will do. */
async function untilStarted(
  context: BucketContext & TableContext,
  runId: string,
  before: string | null,
  dataDir: string,
): Promise<void> {
  const deadline = Date.now() + START_PATIENCE_MS;
  while (Date.now() < deadline) {
    const view = await readRunView(context, runId);
    if (view !== undefined && view.begunAt !== before) return;
    await sleep(200);
  }
  requireSpace(dataDir);
  throw new ProxytuneError('LocalCloudFailed', {
    what: 'The upload started no run',
    given: `nothing within ${START_PATIENCE_MS / 1000} s`,
    remedy: 'read cloud.log and emulator/emulator.log in the data folder',
  });
}

async function conclude(
  { aws, cloud }: Session,
  view: RunView | undefined,
  runId: string,
  output: Output,
  next: RunOptions['next'],
): Promise<number> {
  if (view?.warning) output.say(`warning: ${view.warning}`);
  if (view?.status !== 'SUCCEEDED') {
    for (const line of afterFailure(view, runId, cloud.dataDir)) output.say(line);
    throw jobError(view?.error ?? 'JobFailed', view?.message ?? `the run ${runId} ended without a result`);
  }
  const { page, metrics } = await fetchReport(aws, runId, cloud.dataDir);
  output.say('');
  output.say(metrics.verdict);
  output.say(costLine((await readPlan(aws, runId)).models, view.usd));
  if (next !== undefined) output.say(next(runId));
  output.data({ runId, status: view.status, report: page, usd: view.usd });
  output.say(page);
  return 0;
}

/** Help for this machine, as the message names places of an AWS account. */
export function afterFailure(view: RunView | undefined, runId: string, dataDir: string): string[] {
  const refused = exitCode(view?.error ?? '') === exitCode('RequestInvalid');
  return [
    ...logOf(view?.message ?? '', dataDir),
    ...(refused ? [] : [`to retry from where it failed: npx proxytune run --local --resume ${runId}`]),
  ];
}

async function interrupted({ aws }: Session, runId: string, output: Output): Promise<number> {
  await stopRuns(aws, (run) => run === runId);
  output.data({ runId, status: 'STOPPED' });
  const planned = (await findText(aws, keys.plan(runId))) !== undefined;
  output.say(
    planned
      ? `stopped. To resume: npx proxytune run --local --resume ${runId}`
      : 'stopped before it was planned: start it again to run it',
  );
  return 130;
}

function onlyLocal(): ProxytuneError {
  return new ProxytuneError('UsageInvalid', {
    what: 'This command runs on this machine only',
    allowed: 'npx proxytune run --local DIR --category dog --consent',
    remedy:
      'add --local; in an AWS account, upload the photos and then subject.json to the bucket of the stack, which starts the run',
  });
}
