/**
 * The requests that start SageMaker jobs, as plain objects in the API's own words. Pure, so that a test can hold
 * every one against the official API model.
 */
import { instance } from '../catalogue/instances.ts';
import { names } from '../contract/names.ts';
import { attemptFolder, keys } from '../keys.ts';
import { type JobIdentity, jobName } from '../names.ts';
import { modelOfRole, type Plan, stageOf, type TrainingPlan, transformOf } from '../plan/plan.ts';
import type { GenerationPlan } from '../plan/stage-plan.ts';
import { type Hyperparameters, toStrings } from '../stages/hyperparameters.ts';
import { chunksUntil } from '../stages/rounds.ts';

export interface JobContext {
  /** The optional channels of the stage that there is something for. @default - none */
  readonly found?: readonly string[];
  /** Role that SageMaker takes on. */
  readonly roleArn: string;
  readonly imageUri: string;
  /** Prefix of the stack's names. */
  readonly jobPrefix: string;
}

/** An interrupted spot job may wait this long for capacity on top of its run time. */
const SPOT_WAIT_SECONDS = 6 * 3600;
/** A disk for base weights, adapters and pictures; types with NVMe ignore it. */
const VOLUME_GIB = 100;
/** Most a transform container may take over one chunk; SageMaker's own upper bound. */
const INVOCATION_SECONDS = 3600;
/**
 * The maximum with one request at a time. It is documented as a limit for requests, and a chunk is a kilobyte. But it
 * may also apply to responses, of some 24 MB for sixteen images.
 */
const LARGEST_PAYLOAD_MB = 100;
/** CUDA 12 needs a host driver of 525 or newer; the default image of a transform host is older. */
const TRANSFORM_AMI = 'al2-ami-sagemaker-batch-gpu-535';

const { channels, environment: variables } = names;

const s3 = (bucket: string, key: string): string => `s3://${bucket}/${key}`;

function tags(plan: Plan, stage: string) {
  return [
    { Key: 'proxytune:run', Value: plan.runId },
    { Key: 'proxytune:subject', Value: plan.subject },
    { Key: 'proxytune:stage', Value: stage },
  ];
}

/** One attempt at drawing chunks with an adapter of a run: for a stage of it, or for a prompt that came later. */
export interface Drawing {
  /** Of the model and of the job. */
  readonly name: string;
  /** For the bill. */
  readonly stage: string;
  /** Who draws, how and where. */
  readonly how: GenerationPlan;
  /** Prefix of the chunk objects. */
  readonly chunks: string;
  /** Prefix of the outputs. */
  readonly output: string;
}

/** The drawing of a stage. @param jobPrefix - prefix of the stack's names */
export function drawingOf(plan: Plan, identity: JobIdentity, jobPrefix: string): Drawing {
  const how = transformOf(plan, identity.stage);
  const { run, stage, attempt, round } = { ...identity, stage: how.stage };
  return {
    name: jobName(identity, jobPrefix),
    stage,
    how,
    chunks: keys.chunks(run, stage),
    output: keys.picturesOfAttempt(run, stage, attempt, round),
  };
}

/** CreateTrainingJob for a stage that is not a transform. */
export function trainingJobRequest(plan: Plan, identity: JobIdentity, context: JobContext) {
  const stage = stageOf(plan, identity.stage) as TrainingPlan;
  const checkpoints = keys.checkpoints(plan.runId, identity.stage);
  return trainingRequest(plan, identity, context, {
    ...stage,
    channels: channelsOf(stage, context),
    instances: 1,
    checkpoints,
  });
}

/**
 * CreateTrainingJob for a stage that draws on managed spot. Its checkpoint folder is the prefix of the pictures: shards
 * go there as they are written, and what any attempt drew is there again when the job starts or goes on.
 *
 * @param adapterFolder - prefix of the adapter that draws, an archive
 * @param instances - as `instancesFor` gives them for what is left to draw
 */
export function spotDrawingRequest(
  plan: Plan,
  identity: JobIdentity,
  context: JobContext & { adapterFolder: string; instances: number },
) {
  const { stage, role, ...how } = transformOf(plan, identity.stage);
  const { family, id: model } = modelOfRole(plan, role);
  const run = plan.runId;
  return trainingRequest(plan, identity, context, {
    ...how,
    instances: context.instances,
    spot: true,
    compressed: true,
    hyperparameters: {
      stage: 'synthesize',
      family,
      model,
      seed: plan.seed,
      folder: attemptFolder(identity.attempt, identity.round),
      chunks: chunksUntil(plan, stage, identity.round ?? 1),
    },
    channels: {
      [channels.base]: keys.model(model),
      [channels.adapter]: context.adapterFolder,
      [channels.chunks]: keys.chunks(run, stage),
    },
    checkpoints: keys.pictures(run, stage),
  });
}

/** The parts of any training job's request. */
type Training = Pick<
  TrainingPlan,
  'hyperparameters' | 'channels' | 'compressed' | 'spot' | 'instanceType' | 'maxRuntimeSeconds'
> & {
  readonly instances: number;
  /** Prefix that is kept equal to the job's checkpoint folder. */
  readonly checkpoints: string;
};

function trainingRequest(plan: Plan, identity: JobIdentity, context: JobContext, job: Training) {
  return {
    TrainingJobName: jobName(identity, context.jobPrefix),
    RoleArn: context.roleArn,
    AlgorithmSpecification: { TrainingImage: context.imageUri, TrainingInputMode: 'File' as const },
    HyperParameters: toStrings(inRound(job.hyperparameters, identity)),
    Environment: { [variables.gpus]: gpusOf(job.instanceType) },
    InputDataConfig: Object.entries(job.channels).map(([name, prefix]) => channel(plan.bucket, name, prefix)),
    OutputDataConfig: {
      S3OutputPath: s3(plan.bucket, keys.jobs(plan.runId)),
      CompressionType: job.compressed ? ('GZIP' as const) : ('NONE' as const),
    },
    ResourceConfig: {
      InstanceType: job.instanceType,
      InstanceCount: job.instances,
      VolumeSizeInGB: VOLUME_GIB,
    },
    StoppingCondition: {
      MaxRuntimeInSeconds: job.maxRuntimeSeconds,
      // Refused when spot is off, so it is only there when it is on.
      ...(job.spot ? { MaxWaitTimeInSeconds: job.maxRuntimeSeconds + SPOT_WAIT_SECONDS } : {}),
    },
    CheckpointConfig: { S3Uri: s3(plan.bucket, job.checkpoints), LocalPath: '/opt/ml/checkpoints' },
    EnableManagedSpotTraining: job.spot,
    // Everything comes in through channels, so the container needs no network at all.
    EnableNetworkIsolation: true,
    Tags: tags(plan, identity.stage),
  };
}

/** The number for the container, which refuses to compute on the CPU at the price of a GPU. */
function gpusOf(instanceType: string): string {
  return String(instance(instanceType).gpus);
}

/** The plan is of the first round; a job knows its own. */
function inRound(planned: Hyperparameters, { round = 1 }: JobIdentity): Hyperparameters {
  return 'round' in planned ? { ...planned, round } : planned;
}

function channelsOf({ channels, optionalChannels = {} }: TrainingPlan, { found = [] }: JobContext) {
  return { ...channels, ...Object.fromEntries(found.map((name) => [name, optionalChannels[name] ?? ''])) };
}

function channel(bucket: string, name: string, prefix: string) {
  return {
    ChannelName: name,
    DataSource: {
      S3DataSource: {
        S3DataType: 'S3Prefix' as const,
        S3Uri: s3(bucket, prefix),
        S3DataDistributionType: 'FullyReplicated' as const,
      },
    },
  };
}

/**
 * CreateModel for a transform: the adapter alone; base weights are pulled from the bucket at start.
 * @param context - `region`: where the bucket is
 */
export function modelRequest(
  plan: Plan,
  drawing: Drawing,
  context: JobContext & { artifactUri: string; region: string },
) {
  const { name, stage, how, chunks } = drawing;
  const model = modelOfRole(plan, how.role);
  return {
    ModelName: name,
    ExecutionRoleArn: context.roleArn,
    PrimaryContainer: {
      Image: context.imageUri,
      ModelDataUrl: context.artifactUri,
      Environment: {
        // SageMaker does not document any variable that gives a transform's container its region.
        AWS_REGION: context.region,
        [variables.gpus]: gpusOf(how.instanceType),
        [variables.role]: how.role,
        [variables.family]: model.family,
        [variables.model]: model.id,
        [variables.baseModel]: s3(plan.bucket, keys.model(model.id)),
        // Whose prompts are read at once, so that what reads them need not stay in memory.
        [variables.chunks]: s3(plan.bucket, chunks),
        [variables.failureNote]: s3(plan.bucket, keys.failureNote(plan.runId, name)),
      },
    },
    EnableNetworkIsolation: false,
    Tags: tags(plan, stage),
  };
}

/**
 * CreateTransformJob over the manifest of the chunks that are still wanted.
 * @param instances - as `instancesFor` gives them for these
 */
export function transformJobRequest(plan: Plan, { name, stage, how, output }: Drawing, instances: number) {
  const gpu = instance(how.instanceType).gpus > 0;
  return {
    TransformJobName: name,
    ModelName: name,
    MaxConcurrentTransforms: 1,
    MaxPayloadInMB: LARGEST_PAYLOAD_MB,
    BatchStrategy: 'SingleRecord' as const,
    ModelClientConfig: { InvocationsTimeoutInSeconds: INVOCATION_SECONDS, InvocationsMaxRetries: 1 },
    TransformInput: {
      DataSource: {
        S3DataSource: {
          S3DataType: 'ManifestFile' as const,
          S3Uri: s3(plan.bucket, keys.manifest(plan.runId, name)),
        },
      },
      ContentType: 'application/json',
      SplitType: 'None' as const,
      CompressionType: 'None' as const,
    },
    TransformOutput: {
      S3OutputPath: s3(plan.bucket, output),
      Accept: 'application/x-tar',
      AssembleWith: 'None' as const,
    },
    TransformResources: {
      InstanceType: how.instanceType as never,
      InstanceCount: instances,
      ...(gpu ? { TransformAmiVersion: TRANSFORM_AMI } : {}),
    },
    Tags: tags(plan, stage),
  };
}

/**
 * The manifest that names the chunks of one attempt: `[{prefix}, name, name, …]`.
 * @param chunks - prefix of the chunk objects
 */
export function manifest(bucket: string, chunks: string, chunkNames: readonly string[]) {
  return [{ prefix: s3(bucket, chunks) }, ...chunkNames];
}
