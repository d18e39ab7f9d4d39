import { afterFailure, requireSameScale, runCommand } from '../../lib/cli/commands/run.ts';
import { makeOutput } from '../../lib/cli/output.ts';
import { costLine, standInLines } from '../../lib/cli/plan/stand-ins.ts';
import type { RunView } from '../../lib/cli/run-state.ts';
import { makePlan, modelsFor } from '../../lib/core/plan/make-plan.ts';
import { chosen } from '../../lib/core/plan/plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';

const view = (error: string, message: string) => ({ error, message }) as RunView;

describe('after a failure', () => {
  test('of a job, its log on this machine and the way to go on are named', () => {
    const failed = view('JobFailed', 'it broke. What to do: read. (job proxytune-dog-0a1b2c3d-teach-a1)');
    expect(afterFailure(failed, 'dog-0a1b2c3d', '/data')).toEqual([
      "the job's log on this machine: /data/sagemaker/jobs/proxytune-dog-0a1b2c3d-teach-a1/log.txt",
      'to retry from where it failed: npx proxytune run --local --resume dog-0a1b2c3d',
    ]);
  });

  test('that only another request can fix offers no resume', () => {
    expect(afterFailure(view('OverBudget', 'too expensive'), 'dog-0a1b2c3d', '/data')).toEqual([]);
  });
});

test.each([
  ['a folder', 'photos', {}],
  ['a field', undefined, { proxies: 10 }],
])('--resume with %s is refused before anything starts', async (_, dir, fields) => {
  await expect(
    runCommand(dir, { local: true, resume: 'dog-0a1b2c3d', fields }, makeOutput({})),
  ).rejects.toMatchObject({
    name: 'UsageInvalid',
  });
});

test.each([
  ['sdxl', 'full', true],
  ['sdxl', 'tiny', false],
  ['sdxl-miniature', 'full', null],
] as const)('a run of %s at scale %s goes on with models of that scale alone', (teacher, scale, only) => {
  const student = teacher === 'sdxl' ? 'llamagen-xl' : 'llamagen-miniature';
  const rows = modelsFor({ teacher, student }, scale);
  const models = {
    ...(rows.teacher && { teacher: chosen(rows.teacher) }),
    student: chosen(rows.student),
    clip: chosen(rows.clip),
    dino: chosen(rows.dino),
  };
  for (const fullSize of [true, false]) {
    const going = () => requireSameScale('dog-0a1b2c3d', models, fullSize);
    if (only === null || only === fullSize) expect(going).not.toThrow();
    else
      expect(going).toThrow(`npx proxytune run --local${only ? ' --full-size' : ''} --resume dog-0a1b2c3d`);
  }
});

describe('the price of a run', () => {
  const planAt = (scale: 'full' | 'tiny', more = {}) =>
    makePlan(parseRequest(JSON.stringify({ category: 'dog', consent: true, ...more })), {
      runId: 'planned-00000000',
      subject: 'dog',
      bucket: 'planned',
      scale,
      version: '0',
    });

  test('of stand-ins is not reported as that of the models', () => {
    expect(costLine(planAt('tiny').models, 0.003)).toMatch(
      /these stand-ins .*What the full-size models cost/,
    );
    const drawn = { teacher: 'sdxl-miniature', student: 'llamagen-miniature', category: 'car' };
    expect(costLine(planAt('tiny', drawn).models, 0.03)).not.toContain('stand-ins');
  });

  test('of the full-size models is reported before stand-ins start', () => {
    const full = planAt('full');
    const printed = standInLines(full).join('\n');
    expect(printed).toContain('the images will be noise');
    expect(printed).toContain(`$${full.estimate.usd.toFixed(2)}`);
  });
});
