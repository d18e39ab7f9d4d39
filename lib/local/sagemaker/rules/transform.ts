/** Rules of SageMaker for CreateTransformJob beyond its API model. */
import type { ModelRequest, TransformRequest } from '../state/requests.ts';
import { containersOf } from './model.ts';
import { hasNvmeStorage, type Rule, tagKeysAreUnique } from './rule.ts';

const MOST_INSTANCES = 100;
const LARGEST_CONCURRENT_PAYLOAD_MB = 100;

/** A model may be created with ModelDataSource, but batch transform does not support it. */
export function modelIsPacked(model: ModelRequest): string | undefined {
  if (!containersOf(model).some((container) => container.ModelDataSource)) return undefined;
  return (
    "SageMaker Batch currently doesn't support Model entity with container definitions " +
    'which use ModelDataSource attribute'
  );
}

/** The API model shares the data types with training, which supports more of them. */
function inputIsPrefixOrManifest({ TransformInput: input }: TransformRequest): string | undefined {
  const type = input.DataSource.S3DataSource.S3DataType;
  if (type === 'S3Prefix' || type === 'ManifestFile') return undefined;
  return `S3DataType ${type} is not supported for batch transform; it must be S3Prefix or ManifestFile.`;
}

function concurrentPayloadIsSmall(request: TransformRequest): string | undefined {
  const { MaxConcurrentTransforms: concurrent = 1, MaxPayloadInMB: payload = 6 } = request;
  const total = concurrent * payload;
  if (total <= LARGEST_CONCURRENT_PAYLOAD_MB) return undefined;
  return (
    `MaxConcurrentTransforms * MaxPayloadInMB is ${concurrent} * ${payload} = ${total}; ` +
    `it must not exceed ${LARGEST_CONCURRENT_PAYLOAD_MB} MB.`
  );
}

function volumeKeyNeedsEbs({ TransformResources: resources }: TransformRequest): string | undefined {
  if (!resources.VolumeKmsKeyId || !hasNvmeStorage(resources.InstanceType)) return undefined;
  return (
    `VolumeKmsKeyId is not supported for instance type ${resources.InstanceType}, ` +
    'whose storage is local NVMe.'
  );
}

function instancesAreAtMost100({ TransformResources: resources }: TransformRequest): string | undefined {
  if (resources.InstanceCount <= MOST_INSTANCES) return undefined;
  return `TransformResources.InstanceCount is ${resources.InstanceCount}; at most ${MOST_INSTANCES} are allowed.`;
}

export const transformRules: readonly Rule<TransformRequest>[] = [
  inputIsPrefixOrManifest,
  concurrentPayloadIsSmall,
  volumeKeyNeedsEbs,
  instancesAreAtMost100,
  tagKeysAreUnique,
];
