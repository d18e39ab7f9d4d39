/** Rules of SageMaker for CreateTrainingJob beyond its API model. */
import type { TrainingRequest } from '../state/requests.ts';
import { hasNvmeStorage, type Rule, tagKeysAreUnique } from './rule.ts';

type Training = TrainingRequest;

/** A day, as documented. */
export const DEFAULT_MAX_RUNTIME_SECONDS = 86_400;
const LONGEST_RUNTIME = 28 * 86_400;

/** The model declares these optional only because serverless jobs do not need them. */
function jobNamesItsParts(request: Training): string | undefined {
  if (request.ServerlessJobConfig) return undefined;
  const needed = ['AlgorithmSpecification', 'ResourceConfig', 'StoppingCondition'] as const;
  const missing = needed.find((name) => !request[name]);
  return missing && `${missing} is required unless ServerlessJobConfig is given.`;
}

function algorithmIsImageOrName({ AlgorithmSpecification: algorithm }: Training): string | undefined {
  if (!algorithm || Boolean(algorithm.TrainingImage) !== Boolean(algorithm.AlgorithmName)) return undefined;
  return 'You must specify either TrainingImage or AlgorithmName in AlgorithmSpecification, and not both.';
}

function preferencesAreExclusive(request: Training): string | undefined {
  const resources = request.ResourceConfig;
  if (!resources?.InstancePreferences) return undefined;
  const conflicts = [
    resources.InstanceType && 'ResourceConfig.InstanceType',
    resources.InstanceGroups && 'ResourceConfig.InstanceGroups',
    resources.InstancePlacementConfig && 'ResourceConfig.InstancePlacementConfig',
    request.EnableManagedSpotTraining && 'EnableManagedSpotTraining',
  ].filter(Boolean);
  return conflicts.length > 0
    ? `InstancePreferences cannot be combined with ${conflicts.join(', ')}. Use one or the other.`
    : undefined;
}

function instanceIsNamed({ ResourceConfig: resources }: Training): string | undefined {
  if (!resources || resources.InstancePreferences || resources.InstanceGroups) return undefined;
  if (!resources.InstanceType)
    return 'ResourceConfig needs InstanceType, InstanceGroups or InstancePreferences.';
  return resources.InstanceCount ? undefined : 'ResourceConfig.InstanceCount must be at least 1.';
}

function volumeSizeIsGivenForEbs({ ResourceConfig: resources }: Training): string | undefined {
  const type = resources?.InstanceType;
  if (!type || resources.VolumeSizeInGB !== undefined || hasNvmeStorage(type)) return undefined;
  return `ResourceConfig.VolumeSizeInGB is required for ${type}, whose storage is an EBS volume.`;
}

function volumeKeyNeedsEbs({ ResourceConfig: resources }: Training): string | undefined {
  const type = resources?.InstanceType;
  if (!type || !resources.VolumeKmsKeyId || !hasNvmeStorage(type)) return undefined;
  return `VolumeKmsKeyId is not supported for instance type ${type}, whose storage is local NVMe.`;
}

function maxWaitNeedsSpot(request: Training): string | undefined {
  if (request.StoppingCondition?.MaxWaitTimeInSeconds === undefined) return undefined;
  if (request.EnableManagedSpotTraining) return undefined;
  return 'Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true';
}

function spotNeedsMaxWaitOverMaxRuntime(request: Training): string | undefined {
  if (!request.EnableManagedSpotTraining) return undefined;
  const { MaxWaitTimeInSeconds: wait, MaxRuntimeInSeconds: runtime } = request.StoppingCondition;
  if (wait !== undefined && wait >= (runtime ?? DEFAULT_MAX_RUNTIME_SECONDS)) return undefined;
  return 'Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds';
}

function runtimeIsAtMost28Days({ StoppingCondition: condition }: Training): string | undefined {
  const runtime = condition?.MaxRuntimeInSeconds;
  if (runtime === undefined || runtime <= LONGEST_RUNTIME) return undefined;
  return `MaxRuntimeInSeconds is ${runtime}; at most ${LONGEST_RUNTIME} seconds (28 days) are allowed.`;
}

/** The model allows 21600, the documentation and the quota only 3600. */
function keepAliveIsAtMostAnHour({ ResourceConfig: resources }: Training): string | undefined {
  const period = resources?.KeepAlivePeriodInSeconds;
  if (period === undefined || period <= 3600) return undefined;
  return `KeepAlivePeriodInSeconds is ${period}; at most 3600 seconds are allowed.`;
}

/** The model allows 2500 characters, the documentation only 256, which is safe either way. */
function hyperParameterValuesAreShort({ HyperParameters: values }: Training): string | undefined {
  const long = Object.entries(values ?? {}).find(([, value]) => value.length > 256);
  return long && `Hyperparameter ${long[0]} has ${long[1].length} characters; a value may have at most 256.`;
}

function channelNamesAreUnique({ InputDataConfig: channels }: Training): string | undefined {
  const names = (channels ?? []).map((channel) => channel.ChannelName);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  return repeated && `Duplicate channel name ${repeated} in InputDataConfig. Channel names must be unique.`;
}

function channelsHaveOneSource({ InputDataConfig: channels }: Training): string | undefined {
  const invalid = (channels ?? []).find(
    ({ DataSource: source }) => Boolean(source.S3DataSource) === Boolean(source.FileSystemDataSource),
  );
  return invalid && `Channel ${invalid.ChannelName} needs exactly one data source in DataSource.`;
}

/** FastFile mounts a folder, so the prefix must be one. */
function fastFileNeedsFolderPrefix(request: Training): string | undefined {
  for (const channel of request.InputDataConfig ?? []) {
    const mode = channel.InputMode ?? request.AlgorithmSpecification?.TrainingInputMode;
    const source = channel.DataSource.S3DataSource;
    if (mode !== 'FastFile' || !source) continue;
    if (source.S3DataType !== 'S3Prefix') {
      return `Channel ${channel.ChannelName}: FastFile input mode only supports S3Prefix, not ${source.S3DataType}.`;
    }
    if (!source.S3Uri.endsWith('/')) {
      return `Channel ${channel.ChannelName}: FastFile needs a folder, so ${source.S3Uri} must end with "/".`;
    }
  }
  return undefined;
}

export const trainingRules: readonly Rule<TrainingRequest>[] = [
  jobNamesItsParts,
  algorithmIsImageOrName,
  preferencesAreExclusive,
  instanceIsNamed,
  volumeSizeIsGivenForEbs,
  volumeKeyNeedsEbs,
  maxWaitNeedsSpot,
  spotNeedsMaxWaitOverMaxRuntime,
  runtimeIsAtMost28Days,
  keepAliveIsAtMostAnHour,
  hyperParameterValuesAreShort,
  channelNamesAreUnique,
  channelsHaveOneSource,
  fastFileNeedsFolderPrefix,
  tagKeysAreUnique,
];
