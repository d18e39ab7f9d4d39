/** Fields of a request and hyperparameters that the trainings of teacher and student share. */
import { z } from 'zod';
import type { Model } from '../catalogue/models.ts';
import type { Recipe } from '../catalogue/recipes.ts';
import * as fields from '../contract/fields.ts';
import { defined, instanceType, jobFields } from './parts.ts';

/** Fields of `advanced.teach` and of `advanced.learn`. */
export const trainingAdvanced = {
  rank: fields.rank.describe('LoRA rank, with alpha equal to it; above 256 an adapter is no longer small'),
  learningRate: fields.learningRate.describe('AdamW learning rate; above 0.01 LoRA diverges'),
  steps: fields.steps.describe('Optimizer steps; 20000 is ten times what any recipe needs'),
  batchSize: fields.batchSize.describe(
    'Images per step; what fits depends on the instance. Of several GPUs as many train as can share it evenly',
  ),
  instanceType: instanceType('training'),
  spot: z
    .boolean()
    .describe('Use managed spot: cheaper, but may wait for capacity and be interrupted. Default: false'),
};

export const trainingHyperparameters = {
  ...jobFields,
  rank: fields.rank.describe('LoRA rank'),
  alpha: fields.alpha.describe('LoRA alpha; the adapter is scaled by alpha / rank'),
  learning_rate: fields.learningRate.describe('AdamW learning rate'),
  steps: fields.steps.describe('Optimizer steps'),
  batch_size: fields.batchSize.describe('Pictures per optimizer step'),
  size: fields.side.describe('Side of the square training picture in pixels'),
  checkpoint_every: fields.checkpointEvery.describe('Steps between two checkpoints'),
};

export function trainingSettings(model: Model, recipe: Recipe, seed: number) {
  const { rank, alpha, learningRate, steps, batchSize, size, checkpointEvery } = recipe;
  return {
    family: model.family,
    model: model.id,
    seed,
    rank,
    alpha,
    learning_rate: learningRate,
    steps,
    batch_size: batchSize,
    size,
    checkpoint_every: checkpointEvery,
  };
}

/** The recipe with the request's overrides; alpha follows rank, so that the adapter's scale stays. */
export function tuned(
  recipe: Recipe,
  override: {
    rank?: number | undefined;
    learningRate?: number | undefined;
    steps?: number | undefined;
    batchSize?: number | undefined;
  },
): Recipe {
  const { rank, learningRate, steps, batchSize } = override;
  return { ...recipe, ...defined({ rank, alpha: rank, learningRate, steps, batchSize }) };
}
