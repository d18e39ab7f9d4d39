/**
 * The models: a row of data each. Code never asks which model it has, only what its row says. A row or recipe with
 * `extends` says only where it differs; everything here is as it came out, and so is the file that Python reads.
 */
import { z } from 'zod';
import { licence } from '../contract/licence.ts';
import { ProxytuneError } from '../errors.ts';
import { likely } from '../nearest.ts';
import { ROLES, type Role } from '../words.ts';
import { countedRates, type Rates } from './counted.ts';
import data from './data/models.json' with { type: 'json' };
import { DOMAINS, type Domain } from './domains.ts';
import { resolveExtends } from './inheritance.ts';
import { PRESETS, type Preset, type Recipe, recipe } from './recipes.ts';

const hub = z
  .strictObject({
    repository: z.string(),
    revision: z
      .string()
      .regex(/^[0-9a-f]{40}$/)
      .describe('Commit that is imported'),
    gated: z.boolean().describe('Whether its terms must be accepted on Hugging Face first'),
    files: z.array(z.string()).min(1).describe('What of the repository; `*` stands for anything but a slash'),
    gib: z.number().describe('About how much that is'),
    pipeline: z.string().optional().describe("A teacher's class in diffusers, as model_index.json names it"),
  })
  .describe('Where import-model takes the model from');

const fieldValue = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const identifyingFields = z
  .record(z.string(), z.record(z.string(), z.union([fieldValue, z.array(fieldValue)])))
  .describe(
    'Fields of its settings that distinguish its folder from another model of the same classes: file, field (dots ' +
      'lead into objects), and value, or several accepted values; null: the field may be missing',
  );

const rates = z.strictObject({
  perStep: z.number(),
  perPicture: z.number(),
  source: z.string().min(1),
});

const modelRow = z.strictObject({
  role: z.enum(ROLES),
  family: z.string(),
  title: z.string(),
  tiny: z.string().nullable(),
  standInFor: z.string().nullable(),
  domain: z.enum(DOMAINS).describe('The domain of its images: its prompts and its measuring encoders'),
  shipped: z.string().nullable().describe('Folder of its weights in this repository, or null'),
  source: z.string(),
  hub: hub.nullable().default(null),
  identifyingFields: identifyingFields.default({}),
  licence,
  size: z.int(),
  patches: z
    .int()
    .optional()
    .describe(
      'Of an encoder of variable resolution: how many patches an image is read in; without it as many as its folder says',
    ),
  objective: z
    .enum(['noise', 'flow'])
    .optional()
    .describe('Of a teacher: whether it predicts noise at DDPM’s levels, or rectified flow'),
  captionRules: z.array(z.enum(['clip', 't5', 'caption-cleaner'])),
  instances: z.strictObject({ training: z.array(z.string()), transform: z.array(z.string()) }),
  memory: z
    .strictObject({
      training: z.number(),
      quantized: z
        .array(z.strictObject({ bits: z.union([z.literal(8), z.literal(4)]), training: z.number() }))
        .optional()
        .describe('What training needs with the frozen base in so many bits, from the most bits on'),
      trainingAllWeights: z
        .number()
        .optional()
        .describe('What training all weights of a student needs, in float32 with AdamW: 16 bytes a weight'),
      transform: z.number(),
      source: z.string(),
    })
    .optional()
    .describe('GiB of GPU memory that its jobs need at the standard recipe'),
  draw: z
    .strictObject({
      timedAt: z.int().describe('The side to which minutes.perPicture belongs'),
      timedSteps: z.int().describe('The denoising steps to which minutes.perPicture belongs'),
      trainingTimedAt: z.int().describe('The side of a training picture to which minutes.perStep belongs'),
      source: z
        .string()
        .describe('Why the recipes have their sizes, at which it is trained, validated and generates'),
    })
    .optional()
    .describe(
      'Of a teacher, which is trained and generates at one size: its recipe’s, or a larger student’s',
    ),
  minutes: z.strictObject({
    load: z.number(),
    gpu: z.string().optional().describe('The card that they are of, where they are of one'),
    measured: rates.optional().describe('What a run took; replaces what was counted or estimated'),
    estimated: rates.optional().describe('Where nothing was counted or measured'),
  }),
  recipes: z.partialRecord(z.enum(PRESETS), recipe),
});
type Row = z.infer<typeof modelRow>;
export interface Model extends Omit<Row, 'minutes'> {
  readonly id: string;
  /** Those that were measured, else counted, else estimated. */
  readonly minutes: Row['minutes'] & Rates & { readonly counted?: Rates };
}

const rows = resolveExtends('models.json', data);
const models: ReadonlyMap<string, Model> = new Map(
  Object.entries(rows).map(([id, row]) => [id, withRates(id, modelRow.parse(withRecipes(id, row)))]),
);

function withRates(id: string, row: Row): Model {
  const { measured, estimated, gpu } = row.minutes;
  const counted = gpu === undefined ? undefined : countedRates(id, gpu);
  const rates = measured ?? counted ?? estimated;
  if (rates === undefined) throw new Error(`models.json: ${id} has no minutes, and its work is not counted`);
  return { id, ...row, minutes: { ...row.minutes, ...(counted && { counted }), ...rates } };
}

/** The row with what its recipes extend filled in. */
function withRecipes(id: string, row: Readonly<Record<string, unknown>>) {
  const recipes = resolveExtends(`models.json, recipes of ${id}`, row.recipes as Record<string, unknown>);
  return { ...row, recipes };
}

/** The rows of a role, in the catalogue's order. */
export function modelsOf(role: Role): Model[] {
  return [...models.values()].filter((row) => row.role === role);
}

/** The models a request may name for a role: those that stand for themselves. */
export function requestable(role: Role): string[] {
  return modelsOf(role)
    .filter((row) => row.standInFor === null)
    .map((row) => row.id);
}

/** The encoder that measures the images of a domain. */
export function measuring(domain: Domain, role: 'clip' | 'dino' | 'segmenter'): Model {
  const found = measuringIfAny(domain, role);
  // A test holds every domain against the catalogue.
  if (found === undefined) throw new Error(`the catalogue holds no ${role} of the domain ${domain}`);
  return found;
}

/** The same, for an encoder that only some domains have. */
export function measuringIfAny(domain: Domain, role: Role): Model | undefined {
  return modelsOf(role).find((row) => row.domain === domain && row.standInFor === null);
}

/** The row of a model. @throws ModelUnknown, naming the nearest known one */
export function model(id: string): Model {
  const row = models.get(id);
  if (row === undefined) {
    const meant = likely(id, [...models.keys()]);
    throw new ProxytuneError('ModelUnknown', {
      what: 'The catalogue holds no such model',
      given: id,
      allowed: [...models.keys()].join(', '),
      remedy: meant === undefined ? 'choose one of these' : `did you mean ${meant}?`,
    });
  }
  return row;
}

/** The full-size model, or the tiny one that stands in for it where `scale` is `tiny`. */
export function atScale(id: string, scale: 'full' | 'tiny'): Model {
  const row = model(id);
  return scale === 'tiny' && row.tiny !== null ? model(row.tiny) : row;
}

/** The recipe of a teacher or student. @throws ModelUnknown when the model has none */
export function recipeOf(row: Model, preset: Preset): Recipe {
  const found = row.recipes[preset];
  if (found === undefined) {
    throw new ProxytuneError('ModelUnknown', {
      what: `The model has no recipe, so it cannot be tuned`,
      given: `${row.id}, preset ${preset}`,
      allowed: [...models.values()]
        .filter((m) => m.recipes[preset])
        .map((m) => m.id)
        .join(', '),
      remedy: 'choose one of these as teacher or student',
    });
  }
  return found;
}

export function modelIds(): string[] {
  return [...models.keys()];
}
