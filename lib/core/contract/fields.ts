/**
 * Fields that occur in more than one schema (a request, a recipe, a plan, what a job is given), each with its one
 * bound. A schema that takes one describes what it means there; what a single stage has is bounded in its own file.
 */
import { z } from 'zod';
import { names } from './names.ts';

/** Seeds of a stage's pictures are counted up from the run's, and must stay within 31 bits. */
export const LARGEST_SEED = 2_000_000_000;
export const LARGEST_PICTURE_SEED = 2_147_483_647;
/** In USD. */
export const LARGEST_BUDGET = 10_000;

export const share = z.number().min(0).max(1);
export const probability = z.number().gt(0).max(1);
/** Side of a square picture in pixels. */
export const side = z.int().min(8).max(2048);
export const seed = z.int().min(0).max(LARGEST_SEED);
export const pictureSeed = z.int().min(0).max(LARGEST_PICTURE_SEED);
export const maxUsd = z.number().gt(0).max(LARGEST_BUDGET);

// Of a training.
/** Above 256 an adapter is no longer small. */
export const rank = z.int().min(1).max(256);
export const alpha = z.int().min(1).max(512);
/** Above 0.01 LoRA diverges. */
export const learningRate = z.number().gt(0).max(0.01);
/** Optimizer steps; the most is ten times what any recipe needs. */
export const steps = z.int().min(1).max(names.limits.steps);
export const checkpointEvery = steps;
export const batchSize = z.int().min(1).max(64);
export const adapted = z
  .enum(['attention', 'all'])
  .describe('Which layers carry LoRA: the attention (default), or feed-forward and convolutions too');
/** 5 in Min-SNR's paper; above 100 it changes nothing. */
export const snrGamma = z.number().gt(0).max(100);

// Of generation.
/** More change nothing visible. */
export const denoisingSteps = z.int().min(1).max(100);
/** Classifier-free; 1 is none, and above 30 pictures burn out. */
export const guidance = z.number().min(1).max(30);
/** Pictures generated at once. */
export const generationBatch = z.int().min(1).max(256);
/** A request of a transform may last an hour. */
export const picturesPerChunk = z.int().min(1).max(64);
/** Each loads the model, and more than 8 mostly load it. */
export const instances = z.int().min(1).max(8);

// How many there are, how long and for how much.
export const count = z.int().min(1);
export const minutes = z.number().min(0);
export const usd = z.number().min(0);
/** Fewer teach nothing, and more cost more than they can teach. */
export const LEAST_PROXIES = 8;
export const MOST_PROXIES = names.limits.proxies;
export const proxies = z.int().min(LEAST_PROXIES).max(MOST_PROXIES);
export const leastKept = z.int().min(1).max(MOST_PROXIES);
/** The paper uses 4; more than 16 no longer narrow the intervals. */
export const picturesPerPrompt = z.int().min(1).max(16);
/** Of the subject alone, at a checkpoint: their diversity is that of each to another. */
export const validationPictures = z.int().min(2).max(16);
