/**
 * Images of a user's own prompt, generated with the adapter of a finished run: the same chunks, model and transform
 * as a stage of the run, under a name that is a function of the request. A repeat finds what exists already.
 */
import { instance } from '../catalogue/instances.ts';
import { model } from '../catalogue/models.ts';
import { LARGEST_SEED } from '../contract/fields.ts';
import { names } from '../contract/names.ts';
import type { Chunk } from '../contract/pictures.ts';
import { ProxytuneError } from '../errors.ts';
import { keys } from '../keys.ts';
import { generationJobName, NAME_DIGITS, sha256Hex } from '../names.ts';
import { pictureSeed, toChunks } from '../plan/chunks.ts';
import { modelOfRole, type Plan, transformOf } from '../plan/plan.ts';
import { drawingTime } from '../plan/pricing.ts';
import type { GenerationPlan } from '../plan/stage-plan.ts';
import { artifactOf } from './artifacts.ts';
import { fillPrompt, namesSubject, requireReadable, TOKEN_PLACE, unknownWords } from './generation-prompt.ts';
import type { JobRecord } from './records.ts';
import type { Drawing } from './requests.ts';

/** One contact sheet that a person still looks at; who wants more asks again with another seed. */
export const MOST_PICTURES = 64;

export type Painter = 'teacher' | 'student';

/** A request for images from a finished run. */
export interface Asked {
  /** A caption, `{token}` where the subject stands. */
  readonly prompt: string;
  readonly count: number;
  readonly of: Painter;
  /** Of the first picture; the next ones count up. @default - the run's own */
  readonly seed?: number | undefined;
  /** Refuse a higher price. @default - the limit of the run's request */
  readonly maxUsd?: number | undefined;
}

export interface Generation {
  readonly id: string;
  readonly asked: Asked;
  /** With the token word in it. */
  readonly prompt: string;
  /** Of the first picture. */
  readonly seed: number;
  /** Where, how long and for how much. */
  readonly how: GenerationPlan;
  readonly chunks: readonly Chunk[];
  /** The job whose adapter draws. */
  readonly adapterJob: string;
  /** Where this adapter is. */
  readonly adapterUri: string;
}

/** The same as given on the command line: values of any type until they are checked. */
export type Unchecked = { readonly [Field in keyof Asked]: Field extends 'prompt' ? string : unknown };

interface Fault {
  readonly what: string;
  readonly given: string;
  readonly allowed: string;
}

/**
 * Refuses what no run could draw, before one is looked for.
 * @throws UsageInvalid that lists every fault at once
 */
export function checkAsked(asked: Unchecked): asserts asked is Asked {
  const { prompt, count, of, seed = 0, maxUsd = 1 } = asked;
  const faults: Fault[] = [
    ...(isWhole(count, 1, MOST_PICTURES)
      ? []
      : [outOf('-n', count, `a whole number from 1 to ${MOST_PICTURES}`)]),
    ...(of === 'teacher' || of === 'student' ? [] : [outOf('--of', of, 'student or teacher')]),
    ...(isWhole(seed, 0, LARGEST_SEED)
      ? []
      : [outOf('--seed', seed, `a whole number from 0 to ${LARGEST_SEED}`)]),
    ...(typeof maxUsd === 'number' && maxUsd > 0 ? [] : [outOf('--max-usd', maxUsd, 'a number above 0')]),
    ...promptFaults(prompt),
  ];
  if (faults.length === 0) return;
  throw new ProxytuneError('UsageInvalid', {
    what: faults.map(({ what }) => what).join('; '),
    given: faults.map(({ given }) => given).join('; '),
    allowed: faults.map(({ allowed }) => allowed).join('; '),
    remedy: `ask so: npx proxytune generate RUN "a photo of a ${TOKEN_PLACE} dog at sunset" -n 4`,
  });
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
}

function outOf(flag: string, given: unknown, allowed: string): Fault {
  return { what: `${flag} does not fit`, given: `${flag} ${given}`, allowed: `${flag}: ${allowed}` };
}

function promptFaults(prompt: string): Fault[] {
  try {
    fillPrompt(prompt, 'token');
    return [];
  } catch (error) {
    if (!(error instanceof ProxytuneError)) throw error;
    const { what, given = '', allowed = '' } = error.facts;
    return [{ what, given, allowed }];
  }
}

/**
 * Plans the pictures.
 *
 * @param adapter - the job that made the painter's adapter, and where it is; see `adapterOf`
 * @param vocabulary - all words that the models' domain knows. @default - there is no such list
 * @throws UsageInvalid, OverBudget
 */
export function planGeneration(
  plan: Plan,
  asked: Asked,
  adapter: Adapter,
  vocabulary?: readonly string[] | null,
): Generation {
  checkAsked(asked);
  const { count, of, seed = plan.seed } = asked;
  const painter = model(modelOfRole(plan, of).id);
  const prompt = fillPrompt(asked.prompt, plan.tokenWord);
  requireReadable(prompt, painter.captionRules, vocabulary);
  const sample = transformOf(plan, `sample-${of}`);
  const how: GenerationPlan = {
    ...sample,
    ...drawingTime(painter, sample, instance(sample.instanceType), [{ pictures: count }]),
    pictures: count,
    chunks: Math.ceil(count / sample.picturesPerChunk),
  };
  const maxUsd = asked.maxUsd ?? Number(plan.request.maxUsd ?? Number.POSITIVE_INFINITY);
  if (how.usd > maxUsd) throw overBudget(how.usd, maxUsd);
  const pictures = Array.from({ length: count }, (_, index) => ({
    index,
    prompt,
    seed: pictureSeed(seed, names.seeds.streams.proxies, index),
  }));
  const id = sha256Hex(JSON.stringify([adapter.job, prompt, count, seed]), NAME_DIGITS);
  return {
    id,
    asked,
    prompt,
    seed,
    how,
    chunks: toChunks(how, [{ variant: 'tuned', pictures }]),
    adapterJob: adapter.job,
    adapterUri: adapter.uri,
  };
}

function overBudget(usd: number, maxUsd: number): ProxytuneError {
  return new ProxytuneError('OverBudget', {
    what: 'The pictures cost more than the limit',
    given: `${usd.toFixed(2)} USD`,
    allowed: `${maxUsd.toFixed(2)} USD`,
    remedy: 'ask for fewer with -n, or raise the limit with --max-usd',
  });
}

/** An adapter that a run has made. */
export interface Adapter {
  /** Name of the job that made it. */
  readonly job: string;
  readonly uri: string;
}

/** The adapter that a painter draws with. @throws AdapterMissing when the run has not got that far */
export function adapterOf(
  run: { readonly runId: string; readonly status: string; readonly bucket: string },
  jobs: readonly Pick<JobRecord, 'runId' | 'stage' | 'state' | 'jobName' | 'artifact'>[],
  of: Painter,
): Adapter {
  const made = (stage: string) => jobs.find((job) => job.stage === stage && job.state === 'SUCCEEDED');
  const job = made(of === 'teacher' ? 'teach' : 'learn');
  if (job !== undefined)
    return { job: job.jobName, uri: `s3://${run.bucket}/${artifactOf(job, run.bucket)}` };
  const other =
    of === 'student' && made('teach') !== undefined ? '; or let the teacher draw: --of teacher' : '';
  throw new ProxytuneError('AdapterMissing', {
    what: `The run has no adapter of its ${of} yet`,
    given: `${run.runId}, which is ${run.status}`,
    allowed: `a run whose ${of} has been trained`,
    remedy:
      run.status === 'RUNNING'
        ? `wait until it is (npx proxytune status ${run.runId} tells how far it is)${other}`
        : `see how far it came (npx proxytune status ${run.runId}) and let it go on (npx proxytune run --local --resume ${run.runId})${other}`,
  });
}

/** @throws UsageInvalid for the teacher of a run whose method trains none */
export function requireTrained({ runId, method, models }: Plan, of: Painter): void {
  if (models[of] !== undefined) return;
  throw new ProxytuneError('UsageInvalid', {
    what: `The run has no ${of}: its method trains none`,
    given: `--of ${of} of ${runId}, method ${method.id}`,
    allowed: '--of student',
    remedy: 'let the student draw: leave --of out',
  });
}

/** One attempt at the pictures, for the requests. */
export function generationDrawing(
  plan: Plan,
  { id, how }: Generation,
  attempt: number,
  jobPrefix: string,
): Drawing {
  const run = plan.runId;
  return {
    name: generationJobName({ run, id, attempt }, jobPrefix),
    stage: 'generate',
    how,
    chunks: keys.generationChunks(run, id),
    output: keys.generatedPicturesOfAttempt(run, id, attempt),
  };
}

/** Warnings before the images are generated, a line each. */
export function generationNotes(
  plan: Plan,
  { prompt }: Pick<Generation, 'prompt'>,
  vocabulary?: readonly string[] | null,
): string[] {
  const notes: string[] = [];
  if (!namesSubject(prompt, plan.tokenWord)) {
    notes.push(
      `the prompt does not hold the token word ${plan.tokenWord}, so it will not draw the subject; write ${TOKEN_PLACE} where the subject stands`,
    );
  }
  const unknown = unknownWords(prompt, plan.tokenWord, vocabulary ?? []);
  if (vocabulary && unknown.length > 0) {
    const named = unknown.map(({ word, meant }) => (meant ? `${word} (did you mean ${meant}?)` : word));
    notes.push(
      `unknown words, which are read letter by letter and mean nothing here: ${named.join(', ')}`,
      `known words of this domain: ${vocabulary.join(', ')}`,
    );
  }
  return notes;
}

/** A description of the images, for the file next to them. */
export function generationRecord(plan: Plan, { id, asked, prompt, seed, how, adapterJob }: Generation) {
  return {
    version: 1,
    run: plan.runId,
    id,
    of: asked.of,
    model: modelOfRole(plan, asked.of).id,
    adapterJob,
    prompt,
    seed,
    pictures: how.pictures,
    size: how.size,
    sampler: how.sampler,
  };
}
