/**
 * What SageMaker would take and this service does not do. Refused when a job is created, never passed
 * over in silence, and in words that cannot be mistaken for SageMaker's own.
 */
import type { ModelRequest, TrainingRequest, TransformRequest } from '../state/requests.ts';
import { containersOf } from './model.ts';
import type { Rule } from './rule.ts';

const ROOT = '/opt/ml/';

function refused(what: string, remedy: string): string {
  return `The local SageMaker service does not do ${what}: ${remedy} (SageMaker itself would accept this.)`;
}

function jobIsNotServerless(request: TrainingRequest): string | undefined {
  return request.ServerlessJobConfig ? refused('serverless jobs', 'name an image and resources.') : undefined;
}

function commandIsTheServices({ AlgorithmSpecification: algorithm }: TrainingRequest): string | undefined {
  if (algorithm.AlgorithmName) return refused('marketplace algorithms', 'give TrainingImage.');
  if (!algorithm.ContainerEntrypoint && !algorithm.ContainerArguments) return undefined;
  return refused(
    'ContainerEntrypoint or ContainerArguments',
    'it runs the train command it was started with.',
  );
}

/** Each is a process of its own here, all on the cores of this machine. */
const MOST_INSTANCES = 8;

function fewInstancesTrain({ ResourceConfig: resources }: TrainingRequest): string | undefined {
  if (resources.InstanceGroups) return refused('InstanceGroups', 'give InstanceType and InstanceCount.');
  const count = resources.InstanceCount ?? resources.InstancePreferences?.[0]?.InstanceCount ?? 1;
  return count > MOST_INSTANCES
    ? refused(`training on ${count} instances`, `use at most ${MOST_INSTANCES}.`)
    : undefined;
}

function channelsAreFiles(request: TrainingRequest): string | undefined {
  for (const channel of request.InputDataConfig ?? []) {
    const at = `in channel ${channel.ChannelName}`;
    const mode = channel.InputMode ?? request.AlgorithmSpecification.TrainingInputMode;
    if (mode === 'Pipe') return refused(`Pipe mode ${at}`, 'use File or FastFile.');
    const type = channel.DataSource.S3DataSource?.S3DataType;
    if (!type) return refused(`file systems ${at}`, 'use S3DataSource.');
    if (type !== 'S3Prefix' && type !== 'ManifestFile') {
      return refused(`${type} ${at}`, 'use S3Prefix or ManifestFile.');
    }
    if ((channel.CompressionType ?? 'None') !== 'None') return refused(`CompressionType ${at}`, 'use None.');
    if ((channel.RecordWrapperType ?? 'None') !== 'None')
      return refused(`RecordWrapperType ${at}`, 'use None.');
  }
  return undefined;
}

function checkpointsAreUnderOptMl({ CheckpointConfig: config }: TrainingRequest): string | undefined {
  const path = config?.LocalPath;
  if (!path || (path.startsWith(ROOT) && !path.includes('..'))) return undefined;
  return refused(`checkpoints in ${path}`, `choose a LocalPath under ${ROOT}.`);
}

function objectsAreSentWhole({
  TransformInput: input,
  DataProcessing: data,
}: TransformRequest): string | undefined {
  if ((input.SplitType ?? 'None') !== 'None') return refused(`SplitType ${input.SplitType}`, 'use None.');
  const filtered = [data?.InputFilter, data?.OutputFilter].some((path) => path !== undefined && path !== '$');
  if (filtered) return refused('InputFilter or OutputFilter', 'leave them out.');
  return (data?.JoinSource ?? 'None') === 'None' ? undefined : refused('JoinSource', 'use None.');
}

/** Batch transform of a model of several containers is a pipeline we do not build. */
export function modelIsOneContainer(model: ModelRequest): string | undefined {
  return containersOf(model).length > 1 ? refused('inference pipelines', 'give one container.') : undefined;
}

export const trainingLimits: readonly Rule<TrainingRequest>[] = [
  jobIsNotServerless,
  commandIsTheServices,
  fewInstancesTrain,
  channelsAreFiles,
  checkpointsAreUnderOptMl,
];

export const transformLimits: readonly Rule<TransformRequest>[] = [objectsAreSentWhole];
