/** Reads the request, plans the run and refuses it here, before any money is spent, when it cannot be done. */
import { requireImage } from '../../lib/aws/images.ts';
import { requireStoredModel } from '../../lib/aws/models.ts';
import { subscribe } from '../../lib/aws/notifications.ts';
import { joinRun } from '../../lib/aws/run-executions.ts';
import { type BucketContext, exists, readBeginning, writeJson } from '../../lib/aws/s3.ts';
import { beginRun, type TableContext, updateRun } from '../../lib/aws/table.ts';
import { model } from '../../lib/core/catalogue/models.ts';
import { captionSubject } from '../../lib/core/catalogue/prompts.ts';
import { ProxytuneError } from '../../lib/core/errors.ts';
import type { ExecutionIdentity } from '../../lib/core/jobs/executions.ts';
import { keys, requireRequestName, requireSubjectName } from '../../lib/core/keys.ts';
import { digestOf } from '../../lib/core/models/manifest.ts';
import { chunksOf } from '../../lib/core/plan/chunks.ts';
import { makePlan, optionalModels } from '../../lib/core/plan/make-plan.ts';
import type { Plan } from '../../lib/core/plan/plan.ts';
import {
  LARGEST_REQUEST,
  parseRequest,
  requestSchema,
  requireRequestSize,
} from '../../lib/core/request/request.ts';
import { eachModel, isTransformStage } from '../../lib/core/words.ts';
import { bucketContext, imagesContext, notificationsContext } from '../shared/context.ts';
import { setting } from '../shared/settings.ts';
import { tableContext } from '../shared/table.ts';

export interface PlanRunInput {
  readonly runId: string;
  readonly bucket: string;
  readonly subject: string;
  readonly key: string;
  readonly version: string;
  /** The execution that plans the run. @default - unknown */
  readonly execution?: ExecutionIdentity;
}

export async function handler(input: PlanRunInput) {
  const { runId, bucket, subject, execution } = input;
  const context = { ...bucketContext(), ...tableContext() };
  await joinRun(context, runId, execution);
  await beginRun(context, { runId, subject, bucket }, execution);
  requireRequestName(input.key);
  // An upload without a version is identified by its etag, which S3 does not accept as a version.
  const version = /^[0-9a-f]{32}(-\d+)?$/.test(input.version) ? undefined : input.version;
  const { content, size } = await readBeginning(context, input.key, LARGEST_REQUEST, version || undefined);
  const text = Buffer.from(content).toString();
  const address = addressIn(text);
  // Recorded at once, so that an address that is subscribed already hears of a refusal.
  if (address !== undefined) await updateRun(context, runId, { notify: address });
  await requireStillThere(context, input.key);
  requireSubjectName(subject);
  requireRequestSize(size);
  const request = parseRequest(text);
  const scale = setting('MODEL_SCALE') === 'tiny' ? 'tiny' : 'full';
  const absent = await absentOf(context, optionalModels(request, scale));
  const settings = {
    runId,
    subject,
    bucket,
    scale,
    absent,
    version: setting('VERSION'),
    instanceTypes: setting('INSTANCE_TYPES').split(','),
  } as const;
  // Twice: faults of the request itself come first, and the complete plan needs models and image.
  const { models } = makePlan(request, settings);
  const [digests, image] = await Promise.all([
    digestsOf(context, models),
    requireImage(imagesContext(), setting('IMAGE_URI')),
  ]);
  const plan = makePlan(request, { ...settings, digests, image });
  await writeChunks(context, plan);
  await writeJson(context, keys.plan(runId), plan);
  await updateRun(context, runId, { stages: plan.stages.map(({ stage }) => stage) });
  await subscribeTo(context, runId, request.notify);
  return {
    runId,
    bucket,
    planKey: keys.plan(runId),
    photosPrefix: keys.photos(subject),
    referencesPrefix: keys.references(runId),
    captions: captionSubject({ ...plan, domain: model(plan.models.student.id).domain }),
    stages: plan.stages.map(({ stage }) => stage),
  };
}

/**
 * Refuses a request that was deleted before its run had started, when there was no execution to stop yet.
 * @throws Interrupted
 */
async function requireStillThere(context: BucketContext, key: string): Promise<void> {
  if (await exists(context, key)) return;
  throw new ProxytuneError('Interrupted', {
    what: 'The request was deleted before its run had started',
    given: key,
    remedy: 'nothing if you no longer want the run; otherwise upload it again',
  });
}

/** Those of the models that the bucket does not hold. @throws ModelChanged */
async function absentOf(context: BucketContext, ids: readonly string[]): Promise<string[]> {
  const stored = await Promise.all(ids.map((id) => isStored(context, id)));
  return ids.filter((_, at) => !stored[at]);
}

async function isStored(context: BucketContext, id: string): Promise<boolean> {
  try {
    await requireStoredModel(context, id);
    return true;
  } catch (error) {
    if (error instanceof ProxytuneError && error.name === 'ModelMissing') return false;
    throw error;
  }
}

/** The digest of each model's files. @throws ModelMissing, ModelChanged */
async function digestsOf(context: BucketContext, models: Plan['models']): Promise<Record<string, string>> {
  const manifests = await Promise.all(eachModel(models).map(({ id }) => requireStoredModel(context, id)));
  return Object.fromEntries(manifests.map((manifest) => [manifest.model, digestOf(manifest)]));
}

/** Subscribes the address of a valid request. A refused upload must not make SNS ask anyone to confirm. */
async function subscribeTo(context: TableContext, runId: string, address?: string): Promise<void> {
  if (address === undefined) return;
  const warning = await subscribe(notificationsContext(), address);
  if (warning !== undefined) await updateRun(context, runId, { warning });
}

/** The address in a request that may be refused for something else, so that its author still hears of it. */
function addressIn(text: string): string | undefined {
  const address = /"notify"\s*:\s*"([^"\\]*)"/.exec(text)?.[1];
  return requestSchema.shape.notify.safeParse(address).data;
}

async function writeChunks(context: BucketContext, plan: Plan): Promise<void> {
  for (const { stage } of plan.stages) {
    if (!isTransformStage(stage)) continue;
    const chunks = chunksOf(plan, stage);
    // A few at a time: S3 takes thousands a second, but a lambda has only so many sockets.
    for (let at = 0; at < chunks.length; at += 16) {
      await Promise.all(
        chunks
          .slice(at, at + 16)
          .map((chunk) => writeJson(context, keys.chunk(plan.runId, stage, chunk.chunk), chunk)),
      );
    }
  }
}
