/**
 * The job that brings a base model from the hub into the bucket, without a detour over anybody's laptop. It is the one
 * job with a network, and so it has a role of its own, sees no photo, no run and no adapter (ADR 10).
 */
import { instance } from '../catalogue/instances.ts';
import type { Model } from '../catalogue/models.ts';
import type { ImportRequest } from '../contract/import-request.ts';
import { names } from '../contract/names.ts';
import { keys } from '../keys.ts';

/** Its network is what counts; it needs memory for a few parts of 32 MiB. */
const INSTANCE_TYPE = 'ml.m5.xlarge';
/** The largest model at a tenth of the speed that is usual. */
const MAX_SECONDS = 6 * 3600;
/** The files go through the memory; only a pickle that is made into safetensors touches the disk. */
const VOLUME_GIB = 20;
/**
 * MB a second that an import is planned with. The instance's network gives "up to" 1250; this is what four streams
 * of the hub give at the lower end, and no measurement.
 */
const MEGABYTES_A_SECOND = 60;
/** Start of an instance and pulling the image. */
const START_MINUTES = 4;

/** The bucket that a model is imported into, and the token for the download. */
export interface Destination {
  readonly bucket: string;
  /** The secret with the hub's token. @default - null: the token is in the environment, as on this machine */
  readonly secret?: string | null;
}

/** The order for a model of the catalogue that the hub has. */
export function orderFor(
  row: Model,
  revision: string | null,
  { bucket, secret = null }: Destination,
): ImportRequest {
  if (row.hub === null) throw new Error(`${row.id} is on no hub`);
  const { repository, gated, files } = row.hub;
  return {
    version: 1,
    model: row.id,
    repository,
    revision: revision ?? row.hub.revision,
    files,
    licence: row.licence,
    gated,
    secret: gated ? secret : null,
    bucket,
    prefix: keys.model(row.id),
  };
}

/** Prefix of the names of all import jobs of a model; no stage of a run has this name. */
export function importJobStem(id: string, prefix: string): string {
  return `${prefix}import-${id.replace(/[^a-z0-9]+/gi, '-')}-`;
}

/**
 * @param at - the current time, which makes the name unique
 * @param prefix - the stack's, as `jobPrefix` gives it
 */
export function importJobName(id: string, at: Date, prefix: string): string {
  return `${importJobStem(id, prefix)}${Math.floor(at.getTime() / 1000).toString(36)}`;
}

export interface ImportContext {
  /** The role for this job alone. */
  readonly roleArn: string;
  readonly imageUri: string;
  /** Another address of the hub, such as a mirror. @default - the hub's own */
  readonly endpoint?: string | undefined;
}

/** CreateTrainingJob of an import; its request lies at `keys.importRequest`. */
export function importJobRequest(
  name: string,
  { model, bucket }: ImportRequest,
  { roleArn, imageUri, endpoint }: ImportContext,
) {
  const at = (key: string) => `s3://${bucket}/${key}`;
  return {
    TrainingJobName: name,
    RoleArn: roleArn,
    AlgorithmSpecification: { TrainingImage: imageUri, TrainingInputMode: 'File' as const },
    // Never the token: hyperparameters are shown to whoever may describe a job.
    HyperParameters: { stage: 'import-model', model },
    Environment: { HF_HUB_OFFLINE: '0', ...(endpoint === undefined ? {} : { HF_ENDPOINT: endpoint }) },
    InputDataConfig: [
      {
        ChannelName: names.channels.importRequest,
        DataSource: {
          S3DataSource: {
            S3DataType: 'S3Prefix' as const,
            S3Uri: at(keys.importRequest(name)),
            S3DataDistributionType: 'FullyReplicated' as const,
          },
        },
      },
    ],
    OutputDataConfig: { S3OutputPath: at(keys.imports), CompressionType: 'GZIP' as const },
    ResourceConfig: { InstanceType: INSTANCE_TYPE, InstanceCount: 1, VolumeSizeInGB: VOLUME_GIB } as const,
    StoppingCondition: { MaxRuntimeInSeconds: MAX_SECONDS },
    CheckpointConfig: { S3Uri: at(keys.importProgress(name)), LocalPath: '/opt/ml/checkpoints' },
    // The one job that has to reach the hub.
    EnableNetworkIsolation: false,
    Tags: [
      { Key: 'proxytune:stage', Value: 'import-model' },
      { Key: 'proxytune:model', Value: model },
    ],
  };
}

/** About how long an import in an account takes and what it costs, at list prices. */
export function importEstimate({ hub }: Model): { minutes: number; usd: number; instanceType: string } {
  const megabytes = ((hub?.gib ?? 0) * 2 ** 30) / 1e6;
  const minutes = START_MINUTES + megabytes / MEGABYTES_A_SECOND / 60;
  const { usdPerHour } = instance(INSTANCE_TYPE);
  return { minutes, usd: (minutes / 60) * usdPerHour, instanceType: INSTANCE_TYPE };
}
