/** The charge and the time of a stage, worked out from the jobs that it takes, for the tests of the plan. */
import { instance, SPOT_SAVING } from '../../lib/core/catalogue/instances.ts';
import { type Model, model, recipeOf } from '../../lib/core/catalogue/models.ts';
import type { Preset } from '../../lib/core/catalogue/recipes.ts';
import { PHOTO_LIMITS } from '../../lib/core/photos/limits.ts';
import { modelOfRole, type Plan, type StagePlan, stageOf } from '../../lib/core/plan/plan.ts';
import type { JobStage, Role } from '../../lib/core/words.ts';
import { plan } from './planning.ts';

/** The plan is made before the photos are counted, so it allows for the most. */
export const PHOTOS = PHOTO_LIMITS.maxPhotos;
export const FOUR_GPUS = 'ml.g5.12xlarge';

/** A job as AWS bills it: every instance for as long as it lasts. */
export interface Billed {
  readonly minutes: number;
  readonly instances?: number;
}

/** Checks that a stage charges for all of its jobs, and allows each of them four times the time of the longest. */
export function expectCharged(stage: StagePlan, jobs: readonly Billed[], spot = false): void {
  const total = (of: (job: Billed) => number) => jobs.reduce((sum, job) => sum + of(job), 0);
  const { usdPerHour } = instance(stage.instanceType);
  const usd = total(({ minutes, instances = 1 }) => (minutes / 60) * usdPerHour * instances);
  const longest = Math.max(...jobs.map(({ minutes }) => minutes));
  // Minutes of a plan have two decimals.
  expect(Math.abs(stage.minutes - total(({ minutes }) => minutes))).toBeLessThanOrEqual(0.0051);
  expect(stage.usd).toBeCloseTo(usd * (spot ? 1 - SPOT_SAVING : 1), 3);
  const seconds = Math.min(72 * 3600, Math.max(3600, longest * 60 * 4));
  expect(Math.abs(stage.maxRuntimeSeconds - seconds)).toBeLessThanOrEqual(1);
}

interface Variant {
  /** Fields of the request. */
  readonly request: object;
  /** False when the fields change nothing about the job and its time. @default - true */
  readonly same?: boolean;
}

/** Checks the plan of each variant of a request, and that only a variant marked `same` leaves the time unchanged. */
export function eachVariant(
  stage: JobStage,
  variants: Readonly<Record<string, Variant>>,
  check: (made: Plan) => void,
  common: object = {},
) {
  const made = (fields: object) => plan({ maxUsd: 10_000, ...common, ...fields });
  test('as it stands', () => check(made({})));
  test.each(Object.entries(variants))('%s', (_, { request, same = false }) => {
    const own = made(request);
    check(own);
    const [before, after] = [made({}), own].map((one) => stageOf(one, stage).minutes);
    expect(before === after).toBe(same);
  });
}

export const modelOf = (made: Plan, role: Exclude<Role, 'segmenter' | 'siglip' | 'dreamsim'>): Model =>
  role === 'teacher' || role === 'student' ? model(modelOfRole(made, role).id) : model(made.models[role].id);

/** Minutes of a picture that a teacher trains on: its rate is of a batch of the recipe, at a size. */
export function trainedPicture(made: Plan, role: 'teacher' | 'student', size: number): number {
  const row = modelOf(made, role);
  const { batchSize } = recipeOf(row, made.preset as Preset);
  const area = row.draw === undefined ? 1 : (size / row.draw.trainingTimedAt) ** 2;
  return (row.minutes.perStep / batchSize) * area;
}

/** Minutes of a picture that a model draws: a teacher's rate is of so many denoising steps at a size. */
export function drawnPicture(row: Model, size: number, steps: number | undefined): number {
  if (row.draw === undefined) return row.minutes.perPicture;
  return row.minutes.perPicture * (size / row.draw.timedAt) ** 2 * ((steps ?? 0) / row.draw.timedSteps);
}
