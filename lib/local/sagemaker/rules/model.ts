/** Rules of SageMaker for CreateModel beyond its API model. */
import type { ModelContainer, ModelRequest } from '../state/requests.ts';
import { type Rule, tagKeysAreUnique } from './rule.ts';

const LARGEST_ENVIRONMENT = 32 * 1024;

/** The containers of a model, in either form. */
export function containersOf(model: ModelRequest): readonly ModelContainer[] {
  return model.Containers ?? (model.PrimaryContainer ? [model.PrimaryContainer] : []);
}

function containerIsGivenOnce(model: ModelRequest): string | undefined {
  if (Boolean(model.PrimaryContainer) !== Boolean(model.Containers)) return undefined;
  return 'Specify either PrimaryContainer or Containers, not both.';
}

function roleIsGiven(model: ModelRequest): string | undefined {
  return model.ExecutionRoleArn
    ? undefined
    : 'ExecutionRoleArn is required to create a model with a container.';
}

function containersHaveAnImage(model: ModelRequest): string | undefined {
  const incomplete = containersOf(model).some((container) => !container.Image && !container.ModelPackageName);
  return incomplete ? 'Each container needs Image or ModelPackageName.' : undefined;
}

function modelDataIsOneOfTwo(model: ModelRequest): string | undefined {
  const both = containersOf(model).some((container) => container.ModelDataUrl && container.ModelDataSource);
  return both ? 'Specify either ModelDataUrl or ModelDataSource, not both.' : undefined;
}

function modelDataUrlIsTarGz(model: ModelRequest): string | undefined {
  const other = containersOf(model)
    .map((container) => container.ModelDataUrl)
    .find((url) => url !== undefined && !url.endsWith('.tar.gz'));
  return (
    other && `ModelDataUrl ${other} must point to a single gzip compressed tar archive (.tar.gz suffix).`
  );
}

function environmentIsSmall(model: ModelRequest): string | undefined {
  const size = containersOf(model)
    .flatMap((container) => Object.entries(container.Environment ?? {}))
    .reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  if (size <= LARGEST_ENVIRONMENT) return undefined;
  return `The containers' Environment has ${size} bytes in all; at most ${LARGEST_ENVIRONMENT} are allowed.`;
}

export const modelRules: readonly Rule<ModelRequest>[] = [
  containerIsGivenOnce,
  roleIsGiven,
  containersHaveAnImage,
  modelDataIsOneOfTwo,
  modelDataUrlIsTarGz,
  environmentIsSmall,
  tagKeysAreUnique,
];
