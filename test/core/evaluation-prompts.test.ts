/** The evaluation prompts of a run: which list they are from, and where that is shown. */
import { planLines } from '../../lib/cli/commands/plan.ts';
import { evaluationList, kindOf } from '../../lib/core/catalogue/evaluation.ts';
import { chunksOf } from '../../lib/core/plan/chunks.ts';
import { planSchema } from '../../lib/core/plan/plan.ts';
import { plan } from './planning.ts';

// The classes of DreamBooth's 30 subjects; nine of them are cats and dogs, which its authors call live.
const DREAMBOOTH_OBJECTS = [
  'backpack',
  'stuffed animal',
  'bowl',
  'can',
  'candle',
  'clock',
  'sneaker',
  'toy',
  'boot',
  'glasses',
  'cartoon',
  'teapot',
  'vase',
];

test.each(['dog', 'cat', 'border collie', 'guinea pig', 'polar bear', 'old man', 'person', 'goldfish'])(
  'a %s is a live subject',
  (category) => {
    expect(kindOf(category)).toBe('live');
  },
);

test.each([
  ...DREAMBOOTH_OBJECTS,
  ...[
    'toy dog',
    'dog toy',
    'teddy bear',
    'rubber duck',
    'cat statue',
    'hot dog',
    'computer mouse',
    'lighthouse',
  ],
])('a %s is an object', (category) => {
  expect(kindOf(category)).toBe('object');
});

test('the lists are DreamBooth’s: 25 each, of which the same 15', () => {
  const [live, object] = (['live', 'object'] as const).map((kind) =>
    evaluationList('photographs', 'x', kind),
  );
  expect([live?.prompts.length, object?.prompts.length]).toEqual([25, 25]);
  const shared = live?.prompts.filter((prompt) => object?.prompts.includes(prompt)) ?? [];
  expect(shared).toEqual([...(live?.prompts.slice(0, 10) ?? []), ...(live?.prompts.slice(20) ?? [])]);
  expect(live?.prompts[16]).toBe('a {s} in a police outfit');
  expect(object?.prompts[14]).toBe('a {s} floating in an ocean of milk');
  for (const list of [live, object]) expect(list?.source).toContain('google/dreambooth');
});

test('the category decides, and the request overrides it', () => {
  const promptsOf = (fields: object) => plan(fields).prompts;
  const dog = promptsOf({ category: 'dog' });
  expect(dog.evaluationList).toMatchObject({ name: 'live', chosenBy: 'category' });
  expect(dog.evaluation[10]).toEqual({
    prompt: 'a ohwx dog wearing a red hat',
    plain: 'a dog wearing a red hat',
  });
  const vase = promptsOf({ category: 'vase' });
  expect(vase.evaluationList).toMatchObject({ name: 'object', chosenBy: 'category' });
  expect(vase.evaluation[10]?.plain).toBe('a vase with a wheat field in the background');
  const being = promptsOf({ category: 'vase', subjectKind: 'live' });
  expect(being.evaluationList).toMatchObject({ name: 'live', chosenBy: 'request' });
  expect(being.evaluation[10]?.plain).toBe('a vase wearing a red hat');
});

test('both models generate the prompts of the list, and nothing else', () => {
  for (const subjectKind of ['live', 'object'] as const) {
    const made = plan({ subjectKind });
    const asked = made.prompts.evaluation.map(({ prompt }) => prompt);
    for (const stage of ['sample-teacher', 'sample-student'] as const) {
      const generated = chunksOf(made, stage).flatMap(({ pictures }) => pictures.map(({ prompt }) => prompt));
      expect([...new Set(generated)].sort()).toEqual([...asked].sort());
    }
  }
});

test('plan says which list it is and what chose it', () => {
  const lineOf = (fields: object) => planLines(plan(fields)).find((line) => line.startsWith('evaluated on'));
  expect(lineOf({})).toBe(
    'evaluated on 25 of DreamBooth’s prompts for live subjects (by the category dog; subjectKind chooses another list), 4 images each',
  );
  expect(lineOf({ subjectKind: 'object', preset: 'draft' })).toBe(
    'evaluated on 8 of DreamBooth’s prompts for objects (by subjectKind), one image each',
  );
});

test('a plan from before there were several lists is still read', () => {
  const { evaluationList: _, ...prompts } = plan().prompts;
  expect(planSchema.parse({ ...plan(), prompts }).prompts.evaluationList).toBeNull();
});
