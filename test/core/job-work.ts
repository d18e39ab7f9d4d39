/**
 * How much work a job does, counted by its own loops over what it is given: hyperparameters, chunks, channels. The
 * containers' tests count real jobs against the same cases (containers/tests/job_work.json).
 */

import type { Chunk } from '../../lib/core/contract/pictures.ts';
import type { Hyperparameters } from '../../lib/core/stages/hyperparameters.ts';

type Teach = Extract<Hyperparameters, { stage: 'teach' }>;
type Learn = Extract<Hyperparameters, { stage: 'learn' }>;

/**
 * Of one GPU, where several share the training; the first of them does everything else.
 *
 * @param photos - how many there are
 */
export function teachWork(
  given: Pick<
    Teach,
    'steps' | 'batch_size' | 'checkpoint_every' | 'class_images' | 'validation_images' | 'validation_prompts'
  >,
  gpus: number,
  photos: number,
) {
  const processes = sharing(given, gpus);
  const work = {
    trained: 0,
    classImages: given.class_images?.pictures ?? 0,
    validationImages: 0,
    clip: 0,
    dino: 0,
  };
  for (let step = 0; step <= given.steps; step += 1) {
    // The batch, and as many class images.
    if (step > 0) work.trained += (given.batch_size / processes) * (given.class_images === undefined ? 1 : 2);
    const checkpoint = step % given.checkpoint_every === 0 || step === given.steps;
    if (!checkpoint || given.validation_images === undefined) continue;
    const [, ...contexts] = given.validation_prompts ?? [];
    work.validationImages += given.validation_images.pictures + contexts.length;
    work.dino += given.validation_images.pictures + contexts.length;
    work.clip += contexts.length;
  }
  if (given.validation_images !== undefined) work.dino += photos;
  return work;
}

/** The processes of a training: the most GPUs that share its batch evenly. */
function sharing(given: { readonly batch_size: number }, gpus: number): number {
  let processes = 1;
  for (let count = 1; count <= gpus; count += 1) if (given.batch_size % count === 0) processes = count;
  return processes;
}

/** Of one GPU, where several share the training. */
export function learnWork(given: Pick<Learn, 'steps' | 'batch_size'>, gpus: number) {
  let trained = 0;
  for (let step = 0; step < given.steps; step += 1) trained += given.batch_size / sharing(given, gpus);
  return { trained };
}

/** Pictures of the GPU that has most to draw: chunks are dealt in turn. */
export function busiest(chunks: readonly Pick<Chunk, 'pictures'>[], gpus: number): number {
  const shares = Array<number>(gpus).fill(0);
  for (const [at, { pictures }] of chunks.entries())
    shares[at % gpus] = (shares[at % gpus] ?? 0) + pictures.length;
  return Math.max(...shares);
}

/** Of all rounds: each reads the photos and what it is the first to see. */
export function curateWork(ends: readonly number[], photos: number) {
  const work = { loads: 0, clip: 0, dino: 0 };
  let seen = 0;
  for (const end of ends) {
    work.loads += 1;
    work.clip += photos + end - seen;
    work.dino += photos + end - seen;
    seen = end;
  }
  return work;
}

/** Photos, some of the proxies, and the samples of each model, tuned and untuned. */
export function evaluateWork(proxies: number, models: number, samples: number, photos: number) {
  const read = photos + Math.min(200, proxies) + 2 * models * samples;
  return { clip: read, dino: read };
}

/** Images that MaSC's two models read: the photos first, to compare with, then all images. */
export function mascWork({ clip }: { readonly clip: number }, photos: number) {
  return { siglip: clip + photos, segmenter: clip + photos };
}
