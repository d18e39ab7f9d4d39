/** `proxytune generate RUN PROMPT`: pictures of the user's own prompt, drawn with a finished run's adapter. */
import { basename, join, resolve } from 'node:path';
import type { AwsContext } from '../../aws/context.ts';
import { readPlan } from '../../aws/runs.ts';
import { type BucketContext, readBytes } from '../../aws/s3.ts';
import { readRecords, type TableContext } from '../../aws/table.ts';
import { DOMAINS, domainOf } from '../../core/catalogue/domains.ts';
import { PRICES_AS_OF } from '../../core/catalogue/instances.ts';
import { ProxytuneError } from '../../core/errors.ts';
import {
  type Adapter,
  type Asked,
  adapterOf,
  checkAsked,
  type Generation,
  generationNotes,
  generationRecord,
  planGeneration,
  requireTrained,
  type Unchecked,
} from '../../core/jobs/generation.ts';
import { keys } from '../../core/keys.ts';
import { scaleOf } from '../../core/plan/make-plan.ts';
import { modelOfRole, type Plan } from '../../core/plan/plan.ts';
import { RECORD, writePictures } from '../generation/image-folder.ts';
import { picturePage } from '../generation/page.ts';
import { type Picture, readShard } from '../generation/shard.ts';
import { type Drawn, draw } from '../generation/transform.ts';
import { logOf } from '../job-log.ts';
import { dollars, duration, type Output } from '../output.ts';
import { requireOwnFolder } from '../own-folder.ts';
import { type CloudOptions, cloudFlags, dataFolder, withWork } from '../session.ts';
import { chooseRun } from './report.ts';

export interface GenerateOptions extends CloudOptions {
  /** How many pictures; as all of these, what the command line gave. @default - 4 */
  readonly number?: unknown;
  /** Who draws. @default - the student, whom the run was for */
  readonly of?: unknown;
  /** Of the first picture; the others count up. @default - the run's own */
  readonly seed?: unknown;
  /** Refuse a higher price. @default - the limit of the run's request */
  readonly maxUsd?: unknown;
  /** Folder for the pictures. @default - `runs/<run>/generated/<id>` in the data folder */
  readonly out?: string;
  /** This machine, which is what happens anyway without `stack`. @default - not said */
  readonly local?: boolean;
}

/** Draws in the cloud that the options name. @throws as `generateAt` */
export async function generateCommand(
  named: string,
  prompt: string,
  options: GenerateOptions,
  output: Output,
): Promise<number> {
  // A cloud takes seconds to start, and an account is asked over the network.
  askedOf(prompt, options);
  if (options.local && options.stack !== undefined) throw bothPlaces();
  return withWork(options, output, (aws, signal) => generateAt(aws, named, prompt, options, output, signal));
}

/**
 * Draws, brings the pictures to this disk and prints their paths, lastly the folder's.
 * @throws UsageInvalid, RunUnknown, AdapterMissing, OverBudget, and what the job was refused for or failed of
 */
export async function generateAt(
  aws: AwsContext,
  named: string,
  prompt: string,
  options: GenerateOptions,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const asked = askedOf(prompt, options);
  const plan = await readPlan(aws, await chooseRun(aws, named));
  const vocabulary = vocabularyOf(plan);
  const generation = planGeneration(plan, asked, await findAdapter(aws, plan, asked.of), vocabulary);
  const folder = resolve(
    options.out ?? join(dataFolder(options), keys.generation(plan.runId, generation.id)),
  );
  requireOwnFolder(folder, RECORD, generation.id);
  for (const line of before(plan, generation, vocabulary, options)) output.say(line);
  const drawn = await generateWithLog(aws, plan, generation, options, output, signal);
  const pictures = await fetchPictures(aws, generation, drawn);
  const record = { ...generationRecord(plan, generation), seconds: drawn.seconds };
  const page = picturePage(plan, generation, pictures, cloudFlags(options));
  const files = await writePictures(folder, record, pictures, page);
  for (const file of files) output.say(file);
  output.data({ ...record, files, folder });
  output.say(`all on one page: ${join(folder, 'index.html')}`);
  output.say(folder);
  return 0;
}

/** @throws UsageInvalid that lists every option that does not fit */
function askedOf(prompt: string, { number = 4, of = 'student', seed, maxUsd }: GenerateOptions): Asked {
  const asked: Unchecked = { prompt, count: number, of, seed, maxUsd };
  checkAsked(asked);
  return asked;
}

function bothPlaces(): ProxytuneError {
  return new ProxytuneError('UsageInvalid', {
    what: 'Images are generated in one place',
    given: '--local and --stack',
    allowed: '--local (this machine, the default), or --stack NAME in an AWS account',
    remedy: 'leave one of them out',
  });
}

async function findAdapter(context: TableContext, plan: Plan, of: Asked['of']): Promise<Adapter> {
  const records = await readRecords(context, plan.runId);
  const { runId, bucket } = plan;
  requireTrained(plan, of);
  return adapterOf({ runId, bucket, status: records?.run.status ?? 'unknown' }, records?.jobs ?? [], of);
}

/** All words that the run's models know, where their domain is a small one. */
function vocabularyOf({ world }: Plan): readonly string[] | null {
  const name = DOMAINS.find((candidate) => candidate === world.name);
  return name === undefined ? null : domainOf(name).vocabulary;
}

/** A price of tiny models is not that of the models they stand for. */
const asStandIn = ({ models }: Plan): string => (scaleOf(models) === 'tiny' ? ', of this tiny stand-in' : '');

/** Lines on what will be generated, its price, and warnings. */
function before(
  plan: Plan,
  generation: Generation,
  vocabulary: readonly string[] | null,
  { stack }: GenerateOptions,
): string[] {
  const { how, prompt, asked } = generation;
  const price = `${dollars(how.usd)} at list prices of ${PRICES_AS_OF}`;
  const where = `${how.instanceType}, about ${duration(how.minutes * 60)}`;
  return [
    `the ${asked.of} of ${plan.runId} (${modelOfRole(plan, asked.of).title}) draws "${prompt}", ${how.pictures} ${how.pictures === 1 ? 'picture' : 'pictures'}`,
    ...generationNotes(plan, generation, vocabulary),
    stack === undefined
      ? `on AWS${asStandIn(plan)}: ${where}, ${price}; here it costs nothing`
      : `${where}, ${price}`,
  ];
}

/** Generates the images; a failure on this machine prints where the log is. */
async function generateWithLog(
  aws: AwsContext,
  plan: Plan,
  generation: Generation,
  options: GenerateOptions,
  output: Output,
  signal: AbortSignal,
): Promise<Drawn> {
  try {
    return await draw(aws, plan, generation, output, signal);
  } catch (error) {
    if (options.stack === undefined && !signal.aborted)
      for (const line of logOf((error as Error).message, dataFolder(options))) output.say(line);
    throw error;
  }
}

/** The pictures in their order. @throws ShardInvalid when they are not those that were asked for */
async function fetchPictures(
  context: BucketContext,
  { chunks }: Generation,
  { shards }: Drawn,
): Promise<Picture[]> {
  const found: Picture[] = [];
  for (const key of shards)
    found.push(...readShard(await readBytes(context, key, Number.POSITIVE_INFINITY), basename(key)));
  found.sort((a, b) => a.record.index - b.record.index);
  const wanted = chunks.flatMap(({ pictures }) => pictures);
  const same = wanted.every(({ index, prompt, seed }, at) => {
    const record = found[at]?.record;
    return record?.index === index && record.prompt === prompt && record.seed === seed;
  });
  if (same && found.length === wanted.length) return found;
  throw new ProxytuneError('ShardInvalid', {
    what: 'The bucket holds other images than the requested ones',
    given: shards.join(', '),
    remedy: 'delete these objects and retry',
  });
}
