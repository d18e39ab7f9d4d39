import { z } from 'zod';
import { type JsonSchema, pythonModules } from '../../lib/core/contract/python-types.ts';

function typesOf(...schemas: readonly (readonly [string, z.ZodType])[]): Record<string, string> {
  return pythonModules(
    schemas.map(([name, schema]) => ({
      module: name.toLowerCase(),
      name,
      schema: z.toJSONSchema(schema, { io: 'input' }) as JsonSchema,
    })),
    'types',
  );
}

/** The text below the imports. */
function definitions(name: string, schema: z.ZodType): string {
  const text = typesOf([name, schema])[name.toLowerCase()] ?? '';
  return text.slice(text.indexOf('\n\n\n') + 3);
}

const box = z.strictObject({ side: z.int() }).meta({ title: 'Box' });

describe('a Python type', () => {
  test('is a TypedDict with the types of its fields, and their descriptions', () => {
    const schema = z.strictObject({
      text: z.string().describe('In English'),
      whole: z.int(),
      share: z.number().nullable(),
      flag: z.boolean().optional(),
      kind: z.enum(['a', 'b']),
      version: z.literal(1),
      names: z.array(z.string()),
      counts: z.record(z.string(), z.int()),
      anything: z.unknown(),
    });
    expect(definitions('Thing', schema)).toBe(
      `class Thing(TypedDict):
    """Fields of thing."""

    # In English.
    text: str
    whole: int
    share: float | None
    flag: NotRequired[bool]
    kind: Literal["a", "b"]
    version: Literal[1]
    names: list[str]
    counts: dict[str, int]
    anything: Any
`,
    );
  });

  test('comes after the types of its parts, which are named by their place or title', () => {
    const schema = z.strictObject({
      size: z.strictObject({ width: z.int() }),
      items: z.array(z.strictObject({ index: z.int() })),
      box: box.nullable(),
    });
    const text = definitions('Set', schema);
    expect([...text.matchAll(/class (\w+)/g)].map(([, name]) => name)).toEqual([
      'SetSize',
      'SetItem',
      'Box',
      'Set',
    ]);
    expect(text).toContain('    size: SetSize\n    items: list[SetItem]\n    box: Box | None\n');
  });

  test('is an alias for a union, whose members are named by what tells them apart', () => {
    const schema = z.discriminatedUnion('stage', [
      z.strictObject({ stage: z.literal('teach'), steps: z.int() }),
      z.strictObject({ stage: z.literal('import-model') }),
    ]);
    expect(definitions('Settings', schema)).toMatch(
      /\n\n\nSettings = TeachSettings \| ImportModelSettings\n$/,
    );
  });

  test('that two schemas have is defined once and imported', () => {
    const { first, second } = typesOf(
      ['First', z.strictObject({ box: box.describe('One') })],
      ['Second', z.strictObject({ boxes: z.array(box.describe('Another')) })],
    );
    expect(first).toContain('class Box');
    expect(second).not.toContain('class Box');
    expect(second).toContain('\nfrom types.first import Box\n\n\nclass Second');
  });

  test('of a long list of values has a line for each', () => {
    const values = Array.from({ length: 9 }, (_, at) => `a-rather-long-value-${at}`);
    const { long } = typesOf(['Long', z.strictObject({ kind: z.enum(values).meta({ title: 'Kind' }) })]);
    expect(long).toContain(
      '\n\nKind = Literal[\n    "a-rather-long-value-0",\n    "a-rather-long-value-1",\n',
    );
  });
});

describe('refused, not guessed, is', () => {
  test.each<[string, JsonSchema, string]>([
    [
      'a type without a Python one',
      { type: 'object', properties: { at: { type: 'date' } } },
      'no Python type',
    ],
    ['a key that no class can have', { type: 'object', properties: { 'a-b': { type: 'string' } } }, 'a-b'],
    ['a root that is not an object or union', { type: 'string' }, 'needs no module'],
    [
      'a name for two different types',
      {
        type: 'object',
        properties: {
          a: { title: 'Same', type: 'object', properties: {} },
          b: { title: 'Same', type: 'object', properties: { c: { type: 'string' } } },
        },
      },
      'Same names two types',
    ],
    [
      'a line that ruff would break',
      { type: 'object', required: ['a'], properties: { a: { enum: Array.from({ length: 30 }, String) } } },
      'too long',
    ],
  ])('%s', (_what, schema, message) => {
    expect(() => pythonModules([{ module: 'm', name: 'Root', schema }], 'types')).toThrow(message);
  });
});
