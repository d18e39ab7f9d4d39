/**
 * Values that this service does not support, of members that it does. They are rejected when a job is created, never
 * silently ignored.
 */

import { unsupported } from '../model/members.ts';
import type { ModelRequest, TrainingRequest, TransformRequest } from '../state/requests.ts';
import { containersOf } from './model.ts';
import type { Rule } from './rule.ts';

const ROOT = '/opt/ml/';

function jobIsNotServerless(request: TrainingRequest): string | undefined {
  return request.ServerlessJobConfig
    ? unsupported('serverless jobs', 'specify an image and resources.')
    : undefined;
}

function commandIsTheServices({ AlgorithmSpecification: algorithm }: TrainingRequest): string | undefined {
  if (algorithm.AlgorithmName) return unsupported('marketplace algorithms', 'use TrainingImage.');
  if (!algorithm.ContainerEntrypoint && !algorithm.ContainerArguments) return undefined;
  return unsupported(
    'ContainerEntrypoint or ContainerArguments',
    'it runs the train command that it was started with.',
  );
}

/** Each instance is a process here, and all share the cores of this machine. */
const MOST_INSTANCES = 8;

function fewInstancesTrain({ ResourceConfig: resources }: TrainingRequest): string | undefined {
  if (resources.InstanceGroups) return unsupported('InstanceGroups', 'use InstanceType and InstanceCount.');
  const count = resources.InstanceCount ?? resources.InstancePreferences?.[0]?.InstanceCount ?? 1;
  return count > MOST_INSTANCES
    ? unsupported(`training on ${count} instances`, `use at most ${MOST_INSTANCES}.`)
    : undefined;
}

function channelsAreFiles(request: TrainingRequest): string | undefined {
  for (const channel of request.InputDataConfig ?? []) {
    const at = `in channel ${channel.ChannelName}`;
    const mode = channel.InputMode ?? request.AlgorithmSpecification.TrainingInputMode;
    if (mode === 'Pipe') return unsupported(`Pipe mode ${at}`, 'use File or FastFile.');
    const type = channel.DataSource.S3DataSource?.S3DataType;
    if (!type) return unsupported(`file systems ${at}`, 'use S3DataSource.');
    if (type !== 'S3Prefix' && type !== 'ManifestFile') {
      return unsupported(`${type} ${at}`, 'use S3Prefix or ManifestFile.');
    }
    if (channel.DataSource.S3DataSource?.S3DataDistributionType === 'ShardedByS3Key')
      return unsupported(`ShardedByS3Key ${at}`, 'use FullyReplicated.');
    if ((channel.CompressionType ?? 'None') !== 'None')
      return unsupported(`CompressionType ${at}`, 'use None.');
    if ((channel.RecordWrapperType ?? 'None') !== 'None')
      return unsupported(`RecordWrapperType ${at}`, 'use None.');
  }
  return undefined;
}

function checkpointsAreUnderOptMl({ CheckpointConfig: config }: TrainingRequest): string | undefined {
  const path = config?.LocalPath;
  if (!path || (path.startsWith(ROOT) && !path.includes('..'))) return undefined;
  return unsupported(`checkpoints in ${path}`, `choose a LocalPath under ${ROOT}.`);
}

function objectsAreNotSplit({
  TransformInput: input,
  TransformOutput: output,
  DataProcessing: data,
}: TransformRequest): string | undefined {
  if ((output.AssembleWith ?? 'None') !== 'None') return unsupported('AssembleWith Line', 'use None.');
  if ((input.SplitType ?? 'None') !== 'None') return unsupported(`SplitType ${input.SplitType}`, 'use None.');
  const filtered = [data?.InputFilter, data?.OutputFilter].some((path) => path !== undefined && path !== '$');
  if (filtered) return unsupported('InputFilter or OutputFilter', 'leave them out.');
  return (data?.JoinSource ?? 'None') === 'None' ? undefined : unsupported('JoinSource', 'use None.');
}

/** Rejects inference pipelines, i.e. several containers, and multi-model endpoints. */
export function modelIsOneContainer(model: ModelRequest): string | undefined {
  if (containersOf(model).some(({ Mode }) => Mode === 'MultiModel'))
    return unsupported('Mode MultiModel', 'use SingleModel.');
  return containersOf(model).length > 1
    ? unsupported('inference pipelines', 'use one container.')
    : undefined;
}

export const trainingLimits: readonly Rule<TrainingRequest>[] = [
  jobIsNotServerless,
  commandIsTheServices,
  fewInstancesTrain,
  channelsAreFiles,
  checkpointsAreUnderOptMl,
];

export const transformLimits: readonly Rule<TransformRequest>[] = [objectsAreNotSplit];
