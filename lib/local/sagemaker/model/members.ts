/**
 * Members of requests that this service does not act on: those that it refuses, and those that have no effect on this
 * machine, each with the reason. A path covers everything below it; `[]` stands for any entry of a list. A test requires
 * that all other members are read.
 */
import { validationError } from '../errors.ts';

type Members = Readonly<Record<string, string>>;

const NOT_PULLED = 'no image is pulled: the commands of the service run instead';
const NOT_ENCRYPTED = 'the local S3 and this disk encrypt nothing';
const NO_VPC = 'there is no VPC; whether a container has a network is up to EnableNetworkIsolation';
const OWN_S3_LAYOUT = 'use S3DataSource with S3Prefix or ManifestFile.';
const LEAVE_OUT = 'leave it out.';

const TRAINING_SOURCE = 'InputDataConfig[].DataSource';

const TRAINING_REFUSED: Members = {
  [`${TRAINING_SOURCE}.DatasetSource`]: OWN_S3_LAYOUT,
  [`${TRAINING_SOURCE}.S3DataSource.AttributeNames`]: OWN_S3_LAYOUT,
  [`${TRAINING_SOURCE}.S3DataSource.InstanceGroupNames`]: 'use InstanceType and InstanceCount.',
  [`${TRAINING_SOURCE}.S3DataSource.ModelAccessConfig`]: LEAVE_OUT,
  [`${TRAINING_SOURCE}.S3DataSource.HubAccessConfig`]: LEAVE_OUT,
  'InputDataConfig[].ShuffleConfig': LEAVE_OUT,
  'ResourceConfig.TrainingPlanArn': LEAVE_OUT,
  'ResourceConfig.InstancePlacementConfig': LEAVE_OUT,
  'ResourceConfig.InstancePreferences[].TrainingPlanArns': LEAVE_OUT,
  'ResourceConfig.SelectedInstanceType': 'leave it out: DescribeTrainingJob returns it.',
  'ResourceConfig.SelectedInstanceCount': 'leave it out: DescribeTrainingJob returns it.',
  'StoppingCondition.MaxPendingTimeInSeconds': 'use MaxWaitTimeInSeconds, on spot.',
  DebugHookConfig: LEAVE_OUT,
  DebugRuleConfigurations: LEAVE_OUT,
  TensorBoardOutputConfig: LEAVE_OUT,
  ExperimentConfig: LEAVE_OUT,
  ProfilerConfig: LEAVE_OUT,
  ProfilerRuleConfigurations: LEAVE_OUT,
  RetryStrategy: LEAVE_OUT,
  RemoteDebugConfig: LEAVE_OUT,
  InfraCheckConfig: LEAVE_OUT,
  SessionChainingConfig: LEAVE_OUT,
  MlflowConfig: LEAVE_OUT,
  ModelPackageConfig: LEAVE_OUT,
};

const CONTAINER_REFUSED: Members = {
  AdditionalModelDataSources: 'use ModelDataUrl.',
  ModelPackageName: 'use Image and ModelDataUrl.',
  InferenceSpecificationName: 'use Image and ModelDataUrl.',
  MultiModelConfig: LEAVE_OUT,
  ContainerMetricsConfig: LEAVE_OUT,
};

const CONTAINER_WITHOUT_EFFECT: Members = {
  Image: NOT_PULLED,
  ContainerHostname: 'it names the containers of an inference pipeline, which no transform may use here',
  ImageConfig: NOT_PULLED,
};

/** Refused when they are present, whatever their value, with what to do instead. */
export const REFUSED: Readonly<Record<string, Members>> = {
  CreateTrainingJob: TRAINING_REFUSED,
  CreateModel: { ...inEachContainer(CONTAINER_REFUSED), InferenceExecutionConfig: LEAVE_OUT },
  CreateTransformJob: { ExperimentConfig: LEAVE_OUT, DataCaptureConfig: LEAVE_OUT },
};

/** Accepted, validated, returned by Describe, and otherwise without effect here. */
export const WITHOUT_EFFECT: Readonly<Record<string, Members>> = {
  CreateTrainingJob: {
    'AlgorithmSpecification.MetricDefinitions': 'there are no metrics of CloudWatch here',
    'AlgorithmSpecification.EnableSageMakerMetricsTimeSeries': 'there are no metrics of CloudWatch here',
    'AlgorithmSpecification.TrainingImage': NOT_PULLED,
    'AlgorithmSpecification.TrainingImageConfig': NOT_PULLED,
    EnableInterContainerTrafficEncryption: 'containers speak to each other within this machine',
    'OutputDataConfig.KmsKeyId': NOT_ENCRYPTED,
    'ResourceConfig.KeepAlivePeriodInSeconds':
      'no warm pool is kept, as in an account whose quota for them is 0',
    'ResourceConfig.VolumeKmsKeyId': NOT_ENCRYPTED,
    'ResourceConfig.VolumeSizeInGB': 'containers share the disk of this machine',
    RoleArn: 'a container gets the keys that the service was started with',
    VpcConfig: NO_VPC,
  },
  CreateModel: { ...inEachContainer(CONTAINER_WITHOUT_EFFECT), VpcConfig: NO_VPC },
  CreateTransformJob: {
    'TransformOutput.KmsKeyId': NOT_ENCRYPTED,
    'TransformResources.VolumeKmsKeyId': NOT_ENCRYPTED,
    'TransformResources.TransformAmiVersion': 'containers run on this machine, with its driver',
  },
};

function inEachContainer(members: Members): Members {
  const entries = Object.entries(members);
  return Object.fromEntries(
    ['PrimaryContainer', 'Containers[]'].flatMap((container) =>
      entries.map(([name, text]) => [`${container}.${name}`, text]),
    ),
  );
}

/**
 * Refuses a request with a member that this service does not serve: never ignore one, as SageMaker would act on it.
 * @throws ServiceError ValidationException
 */
export function refuseUnserved(operation: string, request: unknown): void {
  for (const [path, remedy] of Object.entries(REFUSED[operation] ?? {})) {
    if (!holds(request, path.split('.'))) continue;
    throw validationError(unsupported(path, remedy));
  }
}

/** The message for a feature of SageMaker that this service lacks; it cannot be mistaken for one of SageMaker's own. */
export function unsupported(what: string, remedy: string): string {
  return `The local SageMaker service does not support ${what}: ${remedy} (SageMaker itself would accept this.)`;
}

function holds(value: unknown, [name, ...rest]: readonly string[]): boolean {
  if (name === undefined) return value !== undefined && value !== null;
  if (typeof value !== 'object' || value === null) return false;
  const inner = (value as Record<string, unknown>)[name.replace('[]', '')];
  if (!name.endsWith('[]')) return holds(inner, rest);
  return Array.isArray(inner) && inner.some((entry) => holds(entry, rest));
}
