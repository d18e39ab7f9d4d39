/** The lines of the plan on its models: every teacher and student of the catalogue, at full and tiny size. */
import { planLines } from '../../lib/cli/commands/plan.ts';
import { modelLines } from '../../lib/cli/plan/models.ts';

import { instance } from '../../lib/core/catalogue/instances.ts';
import { type Model, modelsOf, recipeOf, requestable } from '../../lib/core/catalogue/models.ts';
import { licenceWords } from '../../lib/core/models/licences.ts';
import { makePlan, modelsFor } from '../../lib/core/plan/make-plan.ts';
import { transformOf } from '../../lib/core/plan/plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';

const TRAINED_MODELS = [...modelsOf('teacher'), ...modelsOf('student')];
const PARTNERS = { miniature: { teacher: 'sdxl-miniature', student: 'llamagen-miniature' } };

function planWith(fields: Record<string, unknown>, scale: 'full' | 'tiny' = 'full') {
  const request = parseRequest(
    JSON.stringify({ category: 'car', consent: true, maxUsd: 10_000, preset: 'standard', ...fields }),
  );
  return makePlan(request, { runId: 'r', subject: 's', bucket: 'b', scale, version: '0' });
}

/** The block of one model, by the first word of each line. */
function blockOf(lines: readonly string[], role: string): Record<string, string> {
  const start = lines.findIndex((line) => line.endsWith(`, the ${role}:`));
  const block = lines
    .slice(start + 1, start + 6)
    .map((line) => /^ {2}(\w+) +(.*)$/.exec(line)?.slice(1) ?? []);
  return Object.fromEntries(block);
}

/** The plan in which a row takes part: by its own name, or in place of the model that it stands for. */
function planOf(row: Model) {
  const partners = row.domain === 'miniature' ? PARTNERS.miniature : {};
  const chosen = { ...partners, [row.role]: row.standInFor ?? row.id };
  return planWith(chosen, row.standInFor === null ? 'full' : 'tiny');
}

test.each(TRAINED_MODELS.map((row) => [row.id, row] as const))(
  'the plan prints everything that %s needs',
  (_, row) => {
    const plan = planOf(row);
    expect(plan.models[row.role]?.id).toBe(row.id);
    // What a request may ask of a teacher depends on it.
    expect(row.objective !== undefined).toBe(row.role === 'teacher');
    const said = blockOf(modelLines(plan), row.role);
    const recipe = recipeOf(row, 'standard');
    expect(said.recipe).toContain(
      `standard: ${recipe.steps} steps of batch ${recipe.batchSize} at ${recipe.size} px`,
    );
    expect(said.recipe).toContain(`LoRA rank ${recipe.rank}, alpha ${recipe.alpha}`);
    const { validation } = recipe;
    expect(said.recipe).toContain(
      validation === undefined
        ? 'the last step is used'
        : `${validation.pictures + validation.contexts} validation images every ${recipe.checkpointEvery} steps, the best checkpoint is used`,
    );
    const draws = transformOf(plan, row.role === 'teacher' ? 'synthesize' : 'sample-student');
    expect(said.recipe).toContain(`drawing at ${draws.size} px with `);
    expect(said.recipe).toContain(`guidance ${recipe.sampler.guidance}`);
    for (const type of [...row.instances.training, ...row.instances.transform]) {
      expect(said.instances).toContain(type);
    }
    const { load, perStep, perPicture, source } = row.minutes;
    const { draw } = row;
    const step = draw === undefined ? '' : ` of ${draw.trainingTimedAt} px`;
    const picture = draw === undefined ? '' : ` of ${draw.timedAt} px in ${draw.timedSteps} steps`;
    expect(said.minutes).toBe(
      `${load} to load, ${perStep} a step${step}, ${perPicture} a picture${picture} (${source})`,
    );
    expect(said.licence).toContain(`${row.licence.name}: commercial use is `);
    expect(said.licence).toContain(row.licence.note);
    expect(said.licence).toContain(row.licence.url);
    const on = instance(row.instances.training[0] as string);
    expect(said.memory).toContain(
      row.memory === undefined
        ? `without GPU (${on.type}: ${on.memoryGiB} GiB)`
        : `training needs about ${row.memory.training} GiB, the ${on.gpu} of ${on.type} has ${on.gpuGiB}; drawing needs about ${row.memory.transform} GiB`,
    );
    expect(said.memory).not.toContain('TOO LITTLE');
  },
);

test.each(TRAINED_MODELS.map((row) => [row.id, row] as const))(
  '%s fits on every card of its ladder',
  (_, row) => {
    const cards = (types: readonly string[]) => types.map((type) => instance(type).gpuGiB);
    const all = [...cards(row.instances.training), ...cards(row.instances.transform)];
    // A model without memory row is one that no GPU is planned for.
    expect(all.every((gib) => gib === 0)).toBe(row.memory === undefined);
    expect(Math.min(...cards(row.instances.training))).toBeGreaterThanOrEqual(row.memory?.training ?? 0);
    expect(Math.min(...cards(row.instances.transform))).toBeGreaterThanOrEqual(row.memory?.transform ?? 0);
  },
);

test('every teacher can be asked for, or stands in for one that can', () => {
  const named = requestable('teacher').flatMap((teacher) => {
    const student = teacher.endsWith('miniature') ? 'llamagen-miniature' : 'llamagen-xl';
    return (['full', 'tiny'] as const).map((scale) => modelsFor({ teacher, student }, scale).teacher?.id);
  });
  expect(new Set(named)).toEqual(new Set(modelsOf('teacher').map((row) => row.id)));
});

test('a request’s own settings are printed, and a card that is too small for them', () => {
  const plan = planWith({
    teacher: 'flux-dev',
    advanced: { teach: { rank: 4, instanceType: 'ml.g5.2xlarge' } },
  });
  const said = blockOf(modelLines(plan), 'teacher');
  const four = { batchSize: 4, instanceType: 'ml.g6e.12xlarge' };
  const wide = planWith({ teacher: 'flux-dev', advanced: { teach: four } });
  expect(blockOf(modelLines(wide), 'teacher').recipe).toContain('steps of batch 4 on 4 GPUs at 512 px');
  expect(said.recipe).toContain('LoRA rank 4, alpha 4');
  expect(said.memory).toContain(
    'training on 8-bit weights needs about 18 GiB, the A10G of ml.g5.2xlarge has 24',
  );
  const small = { learn: { instanceType: 'ml.g5.2xlarge' } };
  const tight = planWith({ student: 'lumina-mgpt-7b', advanced: small });
  expect(blockOf(modelLines(tight), 'student').memory).toContain(
    'training needs about 32 GiB, the A10G of ml.g5.2xlarge has 24: TOO LITTLE, expect OutOfMemory',
  );
  expect(said.licence).toContain('commercial use is not allowed');
});

describe('minutes that are of another card', () => {
  const printed = (fields: Record<string, unknown>) => planLines(planWith(fields));
  const stageLine = (lines: readonly string[], stage: string) =>
    lines.find((line) => line.startsWith(`${stage} `)) ?? '';

  test('are said to be, beside the time and below', () => {
    const lines = printed({ teacher: 'flux-dev', advanced: { teach: { instanceType: 'ml.g5.2xlarge' } } });
    expect(stageLine(lines, 'teach')).toMatch(/ steps, time of the L40S$/);
    expect(stageLine(lines, 'synthesize')).not.toContain('time of');
    expect(lines).toContain(
      'Time and price of teach come from minutes of the L40S: none are known of the A10G of ml.g5.2xlarge with weights in 8 bits, and they will differ.',
    );
    const wide = printed({ teacher: 'sdxl', advanced: { synthesize: { instanceType: 'ml.g6e.xlarge' } } });
    expect(stageLine(wide, 'synthesize')).toMatch(/chunks, time of the A10G$/);
    expect(wide.filter((line) => line.startsWith('Time and price of'))).toEqual([
      'Time and price of synthesize come from minutes of the A10G: none are known of the L40S of ml.g6e.xlarge, and they will differ.',
    ]);
  });

  test.each(TRAINED_MODELS.map((row) => [row.id, row] as const))(
    'are not those of %s as it is planned',
    (_, row) => {
      expect(planLines(planOf(row)).join('\n')).not.toContain('Time and price of');
      // A row whose minutes are of a card says which, in its source too.
      if (row.memory !== undefined) expect(row.minutes.source).toContain(row.minutes.gpu);
      else expect(row.minutes.gpu).toBeUndefined();
    },
  );
});

test.each(TRAINED_MODELS.map((row) => [row.id, row] as const))(
  'the licence of %s says nothing twice',
  (_, row) => {
    const words = licenceWords(row.licence).toLowerCase();
    expect(words.match(/commercial use is/g)).toHaveLength(1);
    if (row.licence.commercial === 'no') expect(row.licence.note).not.toMatch(/commercial/i);
  },
);
