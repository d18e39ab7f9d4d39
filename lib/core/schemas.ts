/**
 * Every schema that crosses a wall, as JSON Schema, and the data that Python needs. Python and editors read these files,
 * never TypeScript: the catalogue's models too, as rows of models.json are inherited by a rule that is written once.
 */
import { z } from 'zod';
import { model, modelIds } from './catalogue/models.ts';
import { choice } from './contract/choice.ts';
import { curation } from './contract/curation.ts';
import errors from './contract/errors.json' with { type: 'json' };
import { importRequest } from './contract/import-request.ts';
import { losses } from './contract/losses.ts';
import { metrics } from './contract/metrics.ts';
import names from './contract/names.json' with { type: 'json' };
import { chunk, pictureRecord } from './contract/pictures.ts';
import { progress } from './contract/progress.ts';
import { type JsonSchema, pythonModules } from './contract/python-types.ts';
import { modelManifest } from './models/manifest.ts';
import { planSchema } from './plan/plan.ts';
import { requestSchema } from './request/request.ts';
import { jobHyperparameters } from './stages/hyperparameters.ts';

const CONTAINER = 'containers/proxytune/contract/schemas';
const PYTHON = 'containers/proxytune/contract/types';

/** File (from the repo's root) to content. A test compares them with what is in the repo. */
export function exportedFiles(): Record<string, unknown> {
  return {
    'docs/reference/subject.schema.json': jsonSchema('subject.json of Proxytune', requestSchema),
    [`${CONTAINER}/plan.schema.json`]: jsonSchema('plan.json of a run', planSchema),
    [`${CONTAINER}/hyperparameters.schema.json`]: jsonSchema(
      'hyperparameters of a training job',
      jobHyperparameters,
    ),
    [`${CONTAINER}/chunk.schema.json`]: jsonSchema('one request for pictures', chunk),
    [`${CONTAINER}/picture-record.schema.json`]: jsonSchema(
      'the JSON next to an image of a shard',
      pictureRecord,
    ),
    [`${CONTAINER}/progress.schema.json`]: jsonSchema('progress.json of a training job', progress),
    [`${CONTAINER}/choice.schema.json`]: jsonSchema('choice.json of the stage teach', choice),
    [`${CONTAINER}/losses.schema.json`]: jsonSchema('losses.json of a training', losses),
    [`${CONTAINER}/metrics.schema.json`]: jsonSchema('metrics.json of a report', metrics),
    [`${CONTAINER}/import-request.schema.json`]: jsonSchema(
      'what import-model orders from the hub',
      importRequest,
    ),
    [`${CONTAINER}/model-manifest.schema.json`]: jsonSchema('manifest.json of a base model', modelManifest),
    [`${CONTAINER}/curation.schema.json`]: jsonSchema('curation.json of a run', curation),
    [`${CONTAINER}/errors.json`]: errors,
    'containers/dev/models.json': Object.fromEntries(modelIds().map((id) => [id, model(id)])),
    [`${CONTAINER}/names.json`]: names,
  };
}

/** Schemas with Python types: file, and name of the root type. A type is defined for the first that needs it. */
const PYTHON_TYPES = [
  ['hyperparameters', 'Hyperparameters'],
  ['chunk', 'Chunk'],
  ['picture-record', 'PictureRecord'],
  ['progress', 'Progress'],
  ['choice', 'Choice'],
  ['losses', 'Losses'],
  ['curation', 'Curation'],
  ['model-manifest', 'ModelManifest'],
  ['import-request', 'ImportRequest'],
  ['plan', 'Plan'],
  ['metrics', 'Metrics'],
] as const;

/** Python modules (from the repo's root) to text. A test compares them with what is in the repo. */
export function exportedTypes(): Record<string, string> {
  const schemas = exportedFiles();
  const modules = PYTHON_TYPES.map(([file, name]) => ({
    module: file.replaceAll('-', '_'),
    name,
    schema: schemas[`${CONTAINER}/${file}.schema.json`] as JsonSchema,
  }));
  return Object.fromEntries(
    Object.entries(pythonModules(modules, 'proxytune.contract.types')).map(([module, text]) => [
      `${PYTHON}/${module}.py`,
      text,
    ]),
  );
}

function jsonSchema(title: string, schema: z.ZodType): unknown {
  return { title, ...z.toJSONSchema(schema, { io: 'input' }) };
}
