/** A field that several schemas have (a request, a recipe, what a job is given, what it writes) has one bound. */
import { z } from 'zod';
import { recipe } from '../../lib/core/catalogue/recipes.ts';
import { exportedFiles } from '../../lib/core/schemas.ts';

interface Node {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly [keyword: string]: unknown;
}
interface Bound {
  readonly place: string;
  readonly bound: string;
}

/** Names that stand for another thing in some places. What was measured has no bound to share: undefined. */
const MEANINGS: readonly (readonly [RegExp, string | undefined])[] = [
  [/^(chunk|picture-record|choice|metrics)\b.*\.seed$/, 'pictureSeed'],
  [/\.(synthesize|sampler|class_images|validation_images)\.steps$/, 'denoisingSteps'],
  [/^(chunk|plan\.stages\[\])\.batch_?size$/i, 'generationBatch'],
  [/\.class_images\.pictures$/, 'priorPictures'],
  [/(hyperparameters\.validation_images|recipe\.validation)\.pictures$/, 'validationPictures'],
  [/\.curate\.safety$|\.curation\.safety\.probability$/, 'unsafeProbability'],
  [/^model-manifest\..*\.size$/, 'bytes'],
  [/^(choice|metrics|curation)\..*\.(fidelity|prompt|reach|probability)$/, undefined],
  [/^curation\.dropped\./, 'droppedProxies'],
  // Of a run that draws all proxies at once there is one round; who asks for rounds asks for two.
  [/^(metrics\.curation|curation)\.rounds$/, 'roundsOfRun'],
];

const KEYWORDS = ['type', 'minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum'];

/** Every number of a schema, with its place and its bound. */
function numbersIn(node: Node, place: string): Bound[] {
  const { properties = {}, type } = node;
  const own =
    type === 'integer' || type === 'number'
      ? [{ place, bound: KEYWORDS.map((keyword) => `${keyword} ${node[keyword]}`).join() }]
      : [];
  const fields = Object.entries(properties).flatMap(([name, field]) => numbersIn(field, `${place}.${name}`));
  const others = ['anyOf', 'oneOf', 'items', 'additionalProperties'].flatMap((keyword) => {
    const nodes = [node[keyword]].flat().filter((entry) => typeof entry === 'object' && entry !== null);
    return (nodes as Node[]).flatMap((entry) => numbersIn(entry, keyword === 'items' ? `${place}[]` : place));
  });
  return [...own, ...fields, ...others];
}

function meaningOf(place: string): string {
  const special = MEANINGS.find(([where]) => where.test(place));
  if (special !== undefined) return special[1] ?? place;
  const name = place.split('.').at(-1) ?? place;
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

const schemas = Object.entries({
  ...exportedFiles(),
  'recipe.schema.json': z.toJSONSchema(recipe),
}).filter(([file]) => file.endsWith('.schema.json'));
const numbers = schemas.flatMap(([file, schema]) =>
  numbersIn(schema as Node, file.replace(/^.*\/|\.schema\.json$/g, '')),
);

const byMeaning = [...Map.groupBy(numbers, ({ place }) => meaningOf(place))].filter(
  ([, fields]) => fields.length > 1,
);

test.each(byMeaning)('%s', (_, fields) => {
  const [{ bound: first } = { bound: '' }] = fields;
  expect(fields.filter(({ bound }) => bound !== first)).toEqual([]);
});

test('of what a request may set, training and generation are among them', () => {
  const placesOf = (meaning: string) =>
    new Set(byMeaning.find(([name]) => name === meaning)?.[1].map(({ place }) => place.split('.')[0]));
  for (const meaning of ['rank', 'learningRate', 'steps', 'batchSize', 'snrGamma'])
    expect([meaning, [...placesOf(meaning)]]).toEqual([
      meaning,
      expect.arrayContaining(['subject', 'hyperparameters', 'recipe']),
    ]);
  for (const meaning of ['guidance', 'denoisingSteps'])
    expect([meaning, [...placesOf(meaning)]]).toEqual([
      meaning,
      expect.arrayContaining(['subject', 'hyperparameters', 'recipe', 'chunk', 'plan']),
    ]);
  expect([...placesOf('seed')]).toEqual(expect.arrayContaining(['subject', 'hyperparameters', 'plan']));
});

test('a name that stands for something else somewhere is in use there', () => {
  const unused = MEANINGS.filter(([where]) => !numbers.some(({ place }) => where.test(place)));
  expect(unused).toEqual([]);
});
