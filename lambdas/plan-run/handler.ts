/** Reads the request, plans the run and refuses it here, before any money is spent, when it cannot be done. */
import { SubscribeCommand } from '@aws-sdk/client-sns';
import { readText, writeJson } from '../../lib/aws/lambda/bucket.ts';
import { sns } from '../../lib/aws/lambda/clients.ts';
import { setting } from '../../lib/aws/lambda/environment.ts';
import { requireModelInBucket } from '../../lib/aws/lambda/models.ts';
import { beginRun, noteRun } from '../../lib/aws/lambda/table.ts';
import { keys, requireSubjectName } from '../../lib/core/keys.ts';
import { contentOf } from '../../lib/core/models/manifest.ts';
import { chunksOf } from '../../lib/core/plan/chunks.ts';
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import type { Plan } from '../../lib/core/plan/plan.ts';
import { parseRequest, requestSchema } from '../../lib/core/request/request.ts';
import { TRANSFORM_STAGES } from '../../lib/core/words.ts';

export interface PlanRunInput {
  readonly runId: string;
  readonly bucket: string;
  readonly subject: string;
  readonly key: string;
  readonly version: string;
}

export async function handler(input: PlanRunInput) {
  const { runId, bucket, subject } = input;
  await beginRun({ runId, subject, bucket });
  // An unversioned upload is known by its etag, which is no version that S3 could look up.
  const version = /^[0-9a-f]{32}(-\d+)?$/.test(input.version) ? undefined : input.version;
  const text = await readText(input.key, version || undefined);
  const address = addressIn(text);
  if (address !== undefined) {
    await noteRun(runId, { notify: address });
    await subscribe(address);
  }
  requireSubjectName(subject);
  const request = parseRequest(text);
  const scale = setting('MODEL_SCALE') === 'tiny' ? 'tiny' : 'full';
  const context = {
    runId,
    subject,
    bucket,
    scale,
    version: setting('VERSION'),
    instanceTypes: setting('INSTANCE_TYPES').split(','),
  } as const;
  // Twice: what is wrong with the request itself is said first, and the whole plan needs to know the models.
  const contents = await contentsOf(makePlan(request, context).models);
  const plan = makePlan(request, { ...context, contents });
  await writeChunks(plan);
  await writeJson(keys.plan(runId), plan);
  await noteRun(runId, { curated: plan.curation !== null });
  return {
    runId,
    bucket,
    planKey: keys.plan(runId),
    photosPrefix: keys.photos(subject),
    referencesPrefix: keys.references(runId),
    curated: plan.curation !== null,
  };
}

/** What was brought in of each model. @throws ModelMissing, ModelChanged */
async function contentsOf(models: Plan['models']): Promise<Record<string, string>> {
  const manifests = await Promise.all(Object.values(models).map(({ id }) => requireModelInBucket(id)));
  return Object.fromEntries(manifests.map((manifest) => [manifest.model, contentOf(manifest)]));
}

/** Read on its own, so that a request that is refused for something else still reaches its author. */
function addressIn(text: string): string | undefined {
  const address = /"notify"\s*:\s*"([^"\\]*)"/.exec(text)?.[1];
  return requestSchema.shape.notify.safeParse(address).data;
}

async function writeChunks(plan: Plan): Promise<void> {
  for (const stage of TRANSFORM_STAGES) {
    const chunks = chunksOf(plan, stage);
    // A few at a time: S3 takes thousands a second, but a lambda has only so many sockets.
    for (let at = 0; at < chunks.length; at += 16) {
      await Promise.all(
        chunks
          .slice(at, at + 16)
          .map((chunk) => writeJson(keys.chunk(plan.runId, stage, chunk.chunk), chunk)),
      );
    }
  }
}

/** The address hears of its own runs only; SNS asks it to confirm once, and knows it from then on. */
async function subscribe(address: string): Promise<void> {
  await sns().send(
    new SubscribeCommand({
      TopicArn: setting('TOPIC_ARN'),
      Protocol: 'email',
      Endpoint: address,
      Attributes: { FilterPolicy: JSON.stringify({ notify: [address] }) },
    }),
  );
}
