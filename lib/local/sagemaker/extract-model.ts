/**
 * Extracts from botocore's copy of the official SageMaker API model what the service needs to validate requests: for
 * each supported operation, the shapes reachable from its input and output, without documentation.
 *
 * botocore is Apache-2.0; only facts are extracted (member names, bounds, patterns, enums), no code.
 *
 *     node lib/local/sagemaker/extract-model.ts   (writes data/api-model.json)
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { ApiModel, Shape } from './model/shapes.ts';

const OPERATIONS = [
  ...['CreateTrainingJob', 'DescribeTrainingJob', 'StopTrainingJob', 'ListTrainingJobs', 'DeleteTrainingJob'],
  ...['CreateModel', 'DescribeModel', 'DeleteModel', 'ListModels'],
  ...['CreateTransformJob', 'DescribeTransformJob', 'StopTransformJob', 'ListTransformJobs'],
  ...['AddTags', 'ListTags', 'DeleteTags'],
];

/** A shape in botocore's file, with the members that are used here. */
interface SourceShape {
  type: string;
  required?: string[];
  members?: Record<string, { shape: string }>;
  member?: { shape: string };
  key?: { shape: string };
  value?: { shape: string };
  min?: number;
  max?: number;
  pattern?: string;
  enum?: string[];
}

interface SourceModel {
  metadata: { apiVersion: string; targetPrefix: string };
  operations: Record<string, { input: { shape: string }; output?: { shape: string } }>;
  shapes: Record<string, SourceShape>;
}

const packages = new URL('../../../.venv/lib/', import.meta.url);
const python = readdirSync(packages).find((name) => name.startsWith('python3'));
if (!python) throw new Error(`No Python packages under ${packages.pathname}: set up .venv first.`);
const sitePackages = new URL(`${python}/site-packages/`, packages);
const version = readdirSync(sitePackages).find((name) => /^botocore-.*\.dist-info$/.test(name));
const archive = new URL('botocore/data/sagemaker/2017-07-24/service-2.json.gz', sitePackages);
const source: SourceModel = JSON.parse(gunzipSync(readFileSync(archive)).toString('utf8'));

const shapes: Record<string, Shape> = {};

function extract(name: string): void {
  if (shapes[name]) return;
  const { type, required, members, member, key, value, min, max, pattern, enum: allowed } = sourceShape(name);
  shapes[name] = {
    type,
    ...(required?.length && { required }),
    ...(members && { members: Object.fromEntries(Object.entries(members).map(([m, to]) => [m, to.shape])) }),
    ...(member && { member: member.shape }),
    ...(key && value && { key: key.shape, value: value.shape }),
    // A minimum length of zero has no effect; a minimum number of zero has.
    ...(min !== undefined && !(min === 0 && !isNumber(type)) && { min }),
    ...(max !== undefined && { max }),
    // A pattern for "any characters" has no effect, but one for "any except line breaks" has.
    ...(pattern && pattern !== '[\\S\\s]*' && { pattern }),
    ...(allowed && { enum: allowed }),
  };
  for (const next of Object.values(members ?? {})) extract(next.shape);
  for (const next of [member, key, value]) if (next) extract(next.shape);
}

function sourceShape(name: string): SourceShape {
  const shape = source.shapes[name];
  if (!shape) throw new Error(`botocore's SageMaker model has no shape ${name}.`);
  return shape;
}

function isNumber(type: string): boolean {
  return ['integer', 'long', 'float', 'double'].includes(type);
}

const operations = Object.fromEntries(
  OPERATIONS.map((name) => {
    const operation = source.operations[name];
    if (!operation) throw new Error(`botocore's SageMaker model has no operation ${name}.`);
    extract(operation.input.shape);
    if (operation.output) extract(operation.output.shape);
    return [
      name,
      { input: operation.input.shape, ...(operation.output && { output: operation.output.shape }) },
    ];
  }),
);

const model: ApiModel = {
  source: `${version?.replace('.dist-info', '')} (Apache-2.0), data/sagemaker/2017-07-24/service-2.json.gz`,
  targetPrefix: source.metadata.targetPrefix,
  operations,
  shapes: Object.fromEntries(Object.entries(shapes).sort(([a], [b]) => (a < b ? -1 : 1))),
};
const lines = Object.entries(model.shapes).map(
  ([name, shape]) => `  ${JSON.stringify(name)}: ${JSON.stringify(shape)}`,
);
const head = JSON.stringify({ ...model, shapes: undefined }, null, 1).replace(/\n}$/, '');
writeFileSync(
  new URL('data/api-model.json', import.meta.url),
  `${head},\n "shapes": {\n${lines.join(',\n')}\n }\n}\n`,
);
