/** Curation and the adaptive count: what is planned, what it costs, and what is decided after each round. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { curationBy } from '../../lib/core/catalogue/curation-defaults.ts';
import { modelsOf } from '../../lib/core/catalogue/models.ts';
import { type Curation, curation } from '../../lib/core/contract/curation.ts';
import { chunksOf } from '../../lib/core/plan/chunks.ts';
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import { type Plan, planSchema, stageOf, transformOf } from '../../lib/core/plan/plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';
import { chunksUntil, requireEnough, wantsMore } from '../../lib/core/stages/rounds.ts';

const context = { runId: 'dog-0a1b2c3d', subject: 'dog', bucket: 'b', scale: 'full', version: '1' } as const;
const MINIATURE = { teacher: 'sdxl-miniature', student: 'llamagen-miniature', category: 'car' };
const plan = (fields: object = {}): Plan =>
  makePlan(parseRequest(JSON.stringify({ category: 'dog', consent: true, maxUsd: 100, ...fields })), context);
const stages = (made: Plan) => made.stages.map(({ stage }) => stage);

describe('a plan', () => {
  test('takes no more instances than a round has chunks, and so no instance that only waits', () => {
    const asked = { proxies: 20, advanced: { synthesize: { instances: 4, picturesPerChunk: 4 } } };
    expect(transformOf(plan(asked), 'synthesize').instances).toBe(4);
    const adaptive = transformOf(plan({ ...asked, adaptiveProxies: true }), 'synthesize');
    // Five chunks in four rounds: no round has more than two.
    expect(adaptive.instances).toBe(2);
  });

  test('has neither by default, as in the paper', () => {
    const made = plan();
    expect(made.curation).toBeNull();
    expect(stages(made)).not.toContain('curate');
    const { channels, hyperparameters } = stageOf(made, 'learn') as never;
    expect([channels, hyperparameters].flatMap(Object.keys)).not.toContain(expect.stringMatching(/curat/));
  });

  test('with curation measures all proxies in one go, between drawing and learning', () => {
    const made = plan({ curation: true });
    expect(stages(made).slice(0, 4)).toEqual(['teach', 'synthesize', 'curate', 'learn']);
    expect(made.curation).toMatchObject({ adaptive: null, rounds: [1000], minimum: 100 });
    expect(stageOf(made, 'synthesize')).toEqual(stageOf(plan(), 'synthesize'));
    expect(planSchema.parse(JSON.parse(JSON.stringify(made)))).toEqual(made);
    for (const stage of ['learn', 'evaluate'] as const)
      expect(stageOf(made, stage)).toMatchObject({ channels: { curation: 'runs/dog-0a1b2c3d/curation/' } });
    expect(stageOf(made, 'learn')).toMatchObject({ hyperparameters: { curated: true, proxies: 1000 } });
  });

  test('with an adaptive count alone drops nothing', () => {
    expect(plan({ adaptiveProxies: true }).curation).toMatchObject({
      fidelity: null,
      prompt: null,
      duplicates: null,
      safety: null,
      adaptive: { reach: 0.4, newShare: 0.1 },
    });
  });

  test('draws the same pictures as without rounds, the first ones first, in whole chunks', () => {
    const made = plan({
      adaptiveProxies: true,
      proxies: 100,
      advanced: { synthesize: { picturesPerChunk: 8 } },
    });
    const whole = plan({ proxies: 100, advanced: { synthesize: { picturesPerChunk: 8 } } });
    expect(chunksOf(made, 'synthesize')).toEqual(chunksOf(whole, 'synthesize'));
    expect(made.curation?.rounds).toEqual([32, 56, 80, 100]);
    const chunks = chunksOf(made, 'synthesize');
    for (const [at, drawn] of (made.curation?.rounds ?? []).entries()) {
      const until = chunksUntil(made, 'synthesize', at + 1);
      expect(chunks.slice(0, until).flatMap(({ pictures }) => pictures)).toHaveLength(drawn);
    }
    expect(chunksUntil(made, 'sample-student', 1)).toBe(transformOf(made, 'sample-student').chunks);
  });

  test.each([
    [8, 16, 4, [8]],
    [20, 16, 4, [16, 20]],
    [5000, 16, 20, expect.arrayContaining([5000])],
  ])('of %d proxies in chunks of %d in %d rounds ends with %j', (proxies, picturesPerChunk, rounds, ends) => {
    const made = plan({
      adaptiveProxies: true,
      proxies,
      advanced: { synthesize: { picturesPerChunk }, curate: { rounds } },
    });
    expect(made.curation?.rounds).toEqual(ends);
    expect(made.curation?.rounds.at(-1)).toBe(proxies);
  });

  test('prices the most it may come to: every picture, and what each round loads again', () => {
    const [whole, made] = [plan({ curation: true }), plan({ curation: true, adaptiveProxies: true })];
    // Three more loads of SDXL (8 minutes each) and of the encoders (5).
    for (const [stage, minutes] of [
      ['synthesize', 24],
      ['curate', 15 + 3 * 30 * 0.004],
    ] as const)
      expect(stageOf(made, stage).minutes - stageOf(whole, stage).minutes).toBeCloseTo(minutes, 6);
    expect(made.estimate.usd).toBeGreaterThan(whole.estimate.usd);
    const maxUsd = (whole.estimate.usd + made.estimate.usd) / 2;
    expect(() => plan({ curation: true, adaptiveProxies: true, maxUsd })).toThrow(/costs more than maxUsd/);
  });

  test('takes the request’s own thresholds', () => {
    const curate = { fidelity: 0.7, prompt: 0, duplicates: 1, safety: 0.9, minimum: 3 };
    expect(plan({ curation: true, advanced: { curate } }).curation).toMatchObject({
      ...curate,
      safety: { probability: 0.9 },
    });
  });

  test('cannot leave more than are drawn', () => {
    const asked = { curation: true, proxies: 50, advanced: { curate: { minimum: 51 } } };
    expect(() => plan(asked)).toThrow(/minimum 51 of 50 proxies/);
    expect(plan({ ...asked, proxies: 51 }).curation).toMatchObject({ minimum: 51 });
  });

  test('of a domain whose CLIP knows no words for it says that safety is not checked', () => {
    expect(plan({ ...MINIATURE, curation: true }).curation).toMatchObject({ safety: null });
    expect(() => plan({ ...MINIATURE, curation: true, advanced: { curate: { safety: 0.5 } } })).toThrow(
      /safety: 0.5: cannot be checked in the miniature world/,
    );
  });

  test('asks stand-ins with random weights only for what they cannot get wrong', () => {
    const request = parseRequest(JSON.stringify({ category: 'dog', consent: true, curation: true }));
    const made = makePlan(request, { ...context, scale: 'tiny' });
    expect(made.curation).toMatchObject({ prompt: null, safety: null, fidelity: 0.5 });
  });

  test.each([
    [{ advanced: { curate: { fidelity: 0.5 } } }, 'needs curation to be true'],
    [{ curation: true, advanced: { curate: { rounds: 3 } } }, 'needs adaptiveProxies to be true'],
    [{ advanced: { curate: { minimum: 9 } } }, 'needs curation or adaptiveProxies to be true'],
  ])('refuses settings without effect: %j', (fields, message) => {
    expect(() => plan(fields)).toThrow(message);
  });
});

test.each(modelsOf('clip').map(({ id }) => id))(
  'there are thresholds for %s, and they say where they are from',
  (clip) => {
    const { fidelity, prompt, duplicates, likeness, safety, unsafe, safe } = curationBy(clip);
    for (const row of [fidelity, prompt, duplicates, likeness, safety])
      expect(row?.source.length ?? 21).toBeGreaterThan(20);
    expect([unsafe === null, safe === null]).toEqual([safety === null, safety === null]);
  },
);

/** As the container writes it; its own tests read the same file. */
const FIXTURE: Curation = curation.parse(
  JSON.parse(
    readFileSync(join(import.meta.dirname, '../../containers/tests/curation/fixtures/curation.json'), 'utf8'),
  ),
);

describe('after a round', () => {
  const made = plan({
    curation: true,
    adaptiveProxies: true,
    proxies: 100,
    advanced: { curate: { minimum: 20 } },
  });
  const found = (facts: Partial<Curation>, satisfied = false): Curation => ({
    ...FIXTURE,
    adaptive: FIXTURE.adaptive && { ...FIXTURE.adaptive, satisfied },
    ...facts,
  });

  test('the next is drawn while it adds something, up to the last', () => {
    expect(wantsMore(made, found({ round: 1, kept: 30 }))).toBe(true);
    expect(wantsMore(made, found({ round: 3, kept: 30 }))).toBe(true);
    expect(wantsMore(made, found({ round: 4, kept: 30 }))).toBe(false);
  });

  test('none is drawn once more would add nothing', () => {
    expect(wantsMore(made, found({ round: 1, kept: 30 }, true))).toBe(false);
  });

  test('the next is drawn whatever it adds while too few are left', () => {
    expect(wantsMore(made, found({ round: 1, kept: 19 }, true))).toBe(true);
  });

  test('a plan without an adaptive count draws once', () => {
    expect(wantsMore(plan({ curation: true }), found({ round: 1, kept: 3, adaptive: null }))).toBe(false);
  });

  test('too few end the run, with every reason, its limit and the remedy', () => {
    expect(() => requireEnough(made, found({ kept: 20 }))).not.toThrow();
    const dropped = { fidelity: 70, prompt: 0, duplicates: 15, safety: 0 };
    const limits = { fidelity: 0.4644, prompt: 0.2, duplicates: 0.0226, safety: null };
    const few = () => requireEnough(made, found({ kept: 19, drawn: 100, dropped, limits }));
    expect(few).toThrow(expect.objectContaining({ name: 'ProxiesTooFew' }));
    expect(few).toThrow(
      /kept 19 of 100 proxies\. Given: dropped for fidelity 70 \(limit 0\.464\), duplicates 15 \(limit 0\.023\)/,
    );
    expect(few).toThrow(/at least 20 .*What to do: look at the proxies/);
  });
});
