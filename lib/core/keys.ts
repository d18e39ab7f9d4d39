/** Where things lie in the bucket. Every prefix ends in `/`, because S3 matches prefixes as plain strings. */
import { names } from './contract/names.ts';
import { ProxytuneError } from './errors.ts';
import type { JobStage, TransformStage } from './words.ts';

export const REQUEST_FILE = 'subject.json';

const { chunks, files, folders } = names;

/**
 * The prefix of what only the stages of a run read: it expires by a lifecycle rule of the bucket. Such a rule matches a
 * prefix and no pattern, so the run comes second here. Adapters, samples and reports are below `runs/` and stay.
 */
export const INTERMEDIATES = 'intermediates/';

/** Letters, digits, `-` and `_`: what survives keys, names and URLs alike. */
const SUBJECT = /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,39}$/;
const REQUEST_KEY = /^subjects\/([^/]+)\/subject\.json$/;

export function isSubjectName(name: string): boolean {
  return SUBJECT.test(name);
}

/** The folder that a ready signal speaks of; undefined for any other key, such as one further down. */
export function signalledFolder(key: string): string | undefined {
  return REQUEST_KEY.exec(key)?.[1];
}

/** Names that are mistaken for the request's, in small letters; the name in other letters is one too. */
const MISTAKEN = [
  'subject.json.txt',
  'subject.json.json',
  'subject.txt',
  'subject.jsn',
  'subjects.json',
  'subject',
];

/** Ends of the keys of a request, right or mistaken, in small letters. */
export const REQUEST_ENDS = [REQUEST_FILE, ...MISTAKEN].map((name) => `/${name}`);

/** The folder whose request has a mistaken name; undefined for any other key. */
export function mistakenFolder(key: string): string | undefined {
  const [, folder, name = ''] = /^subjects\/([^/]+)\/([^/]+)$/.exec(key) ?? [];
  const mistaken = name !== REQUEST_FILE && [REQUEST_FILE, ...MISTAKEN].includes(name.toLowerCase());
  return mistaken ? folder : undefined;
}

/** @throws RequestInvalid when the request has a mistaken name */
export function requireRequestName(key: string): void {
  if (mistakenFolder(key) === undefined) return;
  throw new ProxytuneError('RequestInvalid', {
    what: 'The request has another name than it must have',
    given: key,
    allowed: `${REQUEST_FILE}, in small letters and with no other ending`,
    remedy: `upload it as ${key.slice(0, key.lastIndexOf('/') + 1)}${REQUEST_FILE}`,
  });
}

/** @throws RequestInvalid when a subject's folder has a name that later keys, tags and URLs could not carry */
export function requireSubjectName(folder: string): void {
  if (isSubjectName(folder)) return;
  throw new ProxytuneError('RequestInvalid', {
    what: 'The folder of the photos has a name that cannot be used',
    given: JSON.stringify(folder),
    allowed: `subjects/<subject>/${REQUEST_FILE}, the subject being 1 to 40 letters, digits, - or _`,
    remedy: 'rename the folder and upload it again',
  });
}

/** Everything that decides the class images of a category. Their seeds are their numbers. */
export interface ClassImagesOf {
  readonly model: string;
  /** Of the model's files, as `digestOf` gives it: another revision draws other pictures. */
  readonly digest: string;
  /** Small letters and spaces only, as categories have them. */
  readonly prompt: string;
  readonly size: number;
  readonly steps: number;
  readonly guidance: number;
  readonly pictures: number;
}

export const keys = {
  request: (subject: string) => `subjects/${subject}/${REQUEST_FILE}`,
  photos: (subject: string) => `subjects/${subject}/photos/`,
  /** Files of a run that stay. */
  run: (run: string) => `runs/${run}/`,
  intermediates: (run: string) => `${INTERMEDIATES}${run}/`,
  plan: (run: string) => `runs/${run}/${files.plan}`,
  references: (run: string) => `${INTERMEDIATES}${run}/references/`,
  /** Findings of the inspection; written after the last reference. */
  findings: (run: string) => `${INTERMEDIATES}${run}/references/${files.findings}`,
  chunks: (run: string, stage: TransformStage) => `${INTERMEDIATES}${run}/chunks/${stage}/`,
  chunk: (run: string, stage: TransformStage, chunk: number) =>
    `${INTERMEDIATES}${run}/chunks/${stage}/${chunkName(chunk)}`,
  manifest: (run: string, job: string) => `runs/${run}/manifests/${job}.json`,
  /** All attempts of a stage; each writes below its own folder. Proxies expire, samples stay. */
  pictures: picturesOf,
  picturesOfAttempt: (run: string, stage: TransformStage, attempt: number, round = 1) =>
    `${picturesOf(run, stage)}${attemptFolder(attempt, round)}/`,
  /** The selection of proxies that the student learns from; complete once no more are generated. */
  curation: (run: string) => `runs/${run}/curation/`,
  curationFile: (run: string) => `runs/${run}/curation/${files.curation}`,
  /** Kept over attempts, so that the next one resumes. */
  checkpoints: (run: string, stage: JobStage) => `${INTERMEDIATES}${run}/checkpoints/${stage}/`,
  /** Validation images of the teacher's checkpoints, and which of these was selected. */
  teachSamples: (run: string) => `${INTERMEDIATES}${run}/checkpoints/teach/${folders.validation}/`,
  /** Masks of the photos as the teacher was trained with them, where some were found automatically. */
  teachMasks: (run: string) => `${INTERMEDIATES}${run}/checkpoints/teach/${folders.masks}/`,
  /** Masks of the proxies. */
  proxyMasks: (run: string) => `${INTERMEDIATES}${run}/checkpoints/curate/${folders.masks}/`,
  /** Class images that the teacher generated in this run, as one archive; only where it generated all. */
  drawnClass: (run: string) =>
    `${INTERMEDIATES}${run}/checkpoints/teach/${folders.classImages}/${files.classArchive}`,
  /** The same for every run that wants the same: everything that decides the pictures is in the key. */
  classImages: ({ model, digest, prompt, size, steps, guidance, pictures }: ClassImagesOf) =>
    `class-images/${model}/${digest}/${prompt.replaceAll(' ', '-')}/${size}px-${steps}-steps-guidance-${guidance}-${pictures}/`,
  classArchive: (prefix: string) => `${prefix}${files.classArchive}`,
  /** The losses of a training. */
  losses: (run: string, stage: JobStage) => `${INTERMEDIATES}${run}/checkpoints/${stage}/${folders.losses}/`,
  progress: (run: string, stage: JobStage) => `${INTERMEDIATES}${run}/checkpoints/${stage}/${files.progress}`,
  /** SageMaker adds the rest; the complete path is in the job's record. */
  jobs: (run: string) => `runs/${run}/jobs/`,
  /** Why a transform failed, in its container's own words. */
  failureNote: (run: string, job: string) => `runs/${run}/failures/${job}.txt`,
  /** Everything about one prompt of a user's own: what was asked, its chunks, its pictures. */
  generation: (run: string, id: string) => `runs/${run}/generated/${id}/`,
  generationChunks: (run: string, id: string) => `runs/${run}/generated/${id}/chunks/`,
  /** All attempts; each writes below its own folder. */
  generatedPictures: (run: string, id: string) => `runs/${run}/generated/${id}/pictures/`,
  generatedPicturesOfAttempt: (run: string, id: string, attempt: number) =>
    `runs/${run}/generated/${id}/pictures/a${attempt}/`,
  report: (run: string) => `runs/${run}/report/`,
  reportPage: (run: string) => `runs/${run}/report/${files.reportPage}`,
  metrics: (run: string) => `runs/${run}/report/${files.metrics}`,
  models: 'models/',
  model: (id: string) => `models/${id}/`,
  /** Everything of the jobs that bring models in, but the models. SageMaker adds `<job>/output/…`. */
  imports: 'imports/',
  importRequest: (job: string) => `imports/${job}/request/`,
  importRequestFile: (job: string) => `imports/${job}/request/${files.importRequest}`,
  importProgress: (job: string) => `imports/${job}/progress/`,
  importProgressFile: (job: string) => `imports/${job}/progress/${files.progress}`,
  /** Written after the last file of the model; see models/manifest.ts. */
  modelManifest: (id: string) => `models/${id}/${files.manifest}`,
  /** Only in a local cloud, of a model that stays in a folder. */
  linkedFiles: (id: string) => `models/${id}/linked-files.json`,
} as const;

/** Proxies are what the student learned from; samples are what a run was for. */
function picturesOf(run: string, stage: TransformStage): string {
  return `${stage === 'synthesize' ? INTERMEDIATES : 'runs/'}${run}/pictures/${stage}/`;
}

/** The folder of an attempt's pictures. */
export function attemptFolder(attempt: number, round = 1): string {
  return `${round > 1 ? `r${round}-` : ''}a${attempt}`;
}

/** Fixed width, so that listing order is chunk order. */
export function chunkName(chunk: number): string {
  return `${chunks.prefix}${String(chunk).padStart(chunks.digits, '0')}${chunks.suffix}`;
}

/** Number of the chunk that an output object answers, or undefined for another object. */
export function chunkOfOutput(key: string): number | undefined {
  const name = key.slice(key.lastIndexOf('/') + 1);
  const digits = /\d+/.exec(name)?.[0];
  const chunk = Number(digits);
  return digits !== undefined && name === chunkName(chunk) + chunks.shardEnding ? chunk : undefined;
}
