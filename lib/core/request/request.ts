/**
 * The request: the fields of `subject.json`. This schema is the one source of the TypeScript type, the JSON Schema for
 * editors (docs/reference/subject.schema.json), the defaults and the bounds; those under `advanced` are written in the
 * file of their stage.
 */
import { z } from 'zod';
import { SUBJECT_KINDS } from '../catalogue/evaluation.ts';
import { METHODS } from '../catalogue/methods.ts';
import { requestable } from '../catalogue/models.ts';
import { PRESETS } from '../catalogue/recipes.ts';
import { DEFAULT_TOKEN_WORD } from '../catalogue/token-word.ts';
import * as fields from '../contract/fields.ts';
import { ProxytuneError } from '../errors.ts';
import { curateAdvanced } from '../stages/curate.ts';
import { evaluateAdvanced } from '../stages/evaluate.ts';
import { learnAdvanced } from '../stages/learn.ts';
import { sampleAdvanced } from '../stages/sample.ts';
import { synthesizeAdvanced } from '../stages/synthesize.ts';
import { teachAdvanced } from '../stages/teach/teach.ts';
import { MASKINGS, SYNTHESES } from '../words.ts';
import { curationFaults } from './curation-rules.ts';
import { domainFaults } from './domain-rules.ts';
import { faultWords } from './faults.ts';
import { truth } from './truth.ts';

const advanced = z.strictObject({
  teach: teachAdvanced.optional(),
  synthesize: synthesizeAdvanced.optional(),
  curate: curateAdvanced.optional(),
  learn: learnAdvanced.optional(),
  sample: sampleAdvanced.optional(),
  evaluate: evaluateAdvanced.optional(),
});

const request = z.strictObject({
  $schema: z.string().optional().describe('For editors; not read'),
  category: z
    .string()
    .regex(/^[a-z]+( [a-z]+){0,2}$/, 'one to three words of small letters')
    .max(40)
    .describe(
      'The subject in plain words, as it stands in every prompt: "dog", "stuffed animal". One to three words of small letters, at most 40 characters',
    ),
  subjectKind: z
    .enum(SUBJECT_KINDS)
    .optional()
    .describe(
      'Chooses the evaluation prompts, 25 of DreamBooth’s each: those for live subjects dress them, and those for objects let them float. Default: live where the category ends in the name of an animal or person, as "border collie" does and "toy dog" does not, else object',
    ),
  teacher: z
    .enum(requestable('teacher'))
    .default('sdxl')
    .describe('The diffusion model that learns the photos; sdxl-miniature is for drawn subjects'),
  student: z
    .enum(requestable('student'))
    .default('llamagen-xl')
    .describe('The autoregressive model that learns the proxies; of the teacher’s domain'),
  method: z
    .enum(METHODS)
    .default('proxy')
    .describe(
      'How the student is tuned (docs/methods.md). proxy: on a teacher’s proxies. Without a teacher, for comparison: direct-lora and direct-full, on the photos by LoRA or in all weights; augmentation, on as many variations of the photos as there would be proxies. Fields that a method does not use have no effect, and plan names them',
    ),
  preset: z
    .enum(PRESETS)
    .default('standard')
    .describe('draft: a quick look. standard: as in the paper. best: longer training at higher rank'),
  tokenWord: z
    .string()
    .default(DEFAULT_TOKEN_WORD)
    .describe(
      'The rare word that stands for S* in prompts: 3 to 12 small letters a to z, in no prompt; it must survive every tokenizer and caption cleaner of both models',
    ),
  proxies: fields.proxies
    .optional()
    .describe(
      'Number of proxies, or with method augmentation of variations. Fewer than 8 teach nothing, and more than 5000 cost more than they can teach. Default: 200 for draft, else the paper’s 1000',
    ),
  proxyContexts: fields.share
    .default(0)
    .describe(
      'Share of the proxies whose prompt names a context, such as "a S* dog in tall grass", evenly over the run. 0 is the paper’s way; 0.5 keeps the student following prompts where the photos show few contexts',
    ),
  curation: z
    .boolean()
    .default(false)
    .describe(
      'Drop proxies that miss the photos or their prompt, repeat another or look unsafe, each with its reason. The paper keeps all',
    ),
  adaptiveProxies: z
    .boolean()
    .default(false)
    .describe(
      'Generate the proxies in rounds, and stop once more of them add nothing; proxies is then the most',
    ),
  masks: z
    .enum(MASKINGS)
    .default('given')
    .describe(
      'Train on the subject only, not on what is around it. given: photos with a mask next to them (x.mask.png of the photo’s size, the subject white, all else black). auto: a segmenter also finds the subject in the other photos and in the proxies, in a job curate of its own where the run has none',
    ),
  synthesis: z
    .enum(SYNTHESES)
    .default('transform')
    .describe(
      'How the proxies are generated. transform: a batch transform. spot: a managed-spot training job, cheaper, may be interrupted. The images are the same; plan prints both prices',
    ),
  seed: fields.seed
    .default(0)
    .describe(
      'First random state; the same request with the same seed gives the same images, whose own seeds are counted up from it within 31 bits',
    ),
  maxUsd: fields.maxUsd
    .default(25)
    .describe(
      'A plan that costs more at list prices, whatever spot may save, is refused before any GPU starts; 25 is almost five standard runs of the default models',
    ),
  again: z
    .boolean()
    .default(false)
    .describe(
      'Run it although the same request with the same photos has a run. Without it, that run is named and nothing is billed',
    ),
  notify: z
    .email()
    .optional()
    .describe('E-mail address that is notified when the run ends; AWS asks it to confirm once'),
  consent: z
    .literal(true, { error: 'must be true (--consent): you state that you may use these photos' })
    .describe('You state that you may use these photos for this purpose. Without it nothing is done'),
  truth: truth
    .optional()
    .describe(
      'The true appearance of a drawn subject; the report then measures exactly. Only for the miniature world',
    ),
  advanced: advanced.default({}).describe('Overrides of single recipe settings, a stage each'),
});

export const requestSchema = request.superRefine((asked, context) => {
  for (const { path, message } of [...domainFaults(asked), ...curationFaults(asked)])
    context.addIssue({ code: 'custom', path, message });
});

/** A request with every default filled in. */
export type Request = z.infer<typeof requestSchema>;
/** A request as a user writes it. */
export type RequestInput = z.input<typeof requestSchema>;

/**
 * Reads `subject.json`.
 * @throws RequestInvalid that lists every fault at once, an unknown key with the nearest known one
 */
export function parseRequest(text: string): Request {
  const data = readObject(text);
  const result = requestSchema.safeParse(data);
  if (result.success) return result.data;
  throw new ProxytuneError('RequestInvalid', {
    what: 'The request does not fit',
    given: result.error.issues.map((issue) => faultWords(issue, data, requestSchema)).join('; '),
    allowed: 'what docs/reference/subject.md says; only category and consent are required',
    remedy: 'correct these fields and try again; in the bucket, subject.json is uploaded last',
  });
}

/** Larger than any reasonable request; a larger file is something else under this name. */
const MOST_CHARACTERS = 65_536;
/** Bytes of a request: three for each character, the most that UTF-8 takes. Never more are read. */
export const LARGEST_REQUEST = 3 * MOST_CHARACTERS;
/** A request has three levels. Thousands, which JSON allows, would break whoever walks them. */
const MOST_LEVELS = 16;

/** Refuses a file that was not read to its end. @throws RequestInvalid */
export function requireRequestSize(bytes: number): void {
  if (bytes > LARGEST_REQUEST)
    throw notAnObject('is too long to be a request', `${bytes} bytes`, `${MOST_CHARACTERS} characters`);
}

/**
 * The JSON object in a text, whatever its fields.
 * @throws RequestInvalid when it is something else
 */
export function readObject(text: string): Record<string, unknown> {
  if (text.length > MOST_CHARACTERS) {
    throw notAnObject('is too long to be a request', `${text.length} characters`, `${MOST_CHARACTERS}`);
  }
  let data: unknown;
  try {
    // Editors on Windows put a byte order mark before the first brace.
    data = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw notAnObject('is not valid JSON', (cause as Error).message, undefined, cause);
  }
  const object = typeof data === 'object' && data !== null && !Array.isArray(data);
  if (!object)
    throw notAnObject('is not a JSON object', text.trim().slice(0, 80), '{"category": "dog", ...}');
  if (nests(data, MOST_LEVELS)) {
    throw notAnObject(
      'is nested too deeply',
      `more than ${MOST_LEVELS} levels`,
      'three levels, as in the schema',
    );
  }
  return data as Record<string, unknown>;
}

function nests(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => nests(inner, levels - 1));
}

function notAnObject(what: string, given: string, allowed?: string, cause?: unknown): ProxytuneError {
  return new ProxytuneError('RequestInvalid', {
    what: `subject.json ${what}`,
    given,
    allowed,
    remedy: 'correct it and try again; in the bucket, subject.json is uploaded last',
    cause,
  });
}
