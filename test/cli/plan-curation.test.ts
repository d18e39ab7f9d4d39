/** The lines of `plan` on curation and an adaptive count. */
import { curationLines } from '../../lib/cli/plan/curation.ts';
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';

const lines = (fields: object, scale: 'full' | 'tiny' = 'full'): string[] =>
  curationLines(
    makePlan(parseRequest(JSON.stringify({ category: 'dog', consent: true, maxUsd: 100, ...fields })), {
      runId: 'dog-0a1b2c3d',
      subject: 'dog',
      bucket: 'b',
      scale,
      version: '1',
    }),
  );

test('nothing, where neither is asked for', () => {
  expect(lines({})).toEqual([]);
});

test('every limit and the fewest that may be left', () => {
  const [line = '', ...others] = lines({ curation: true, advanced: { curate: { prompt: 0.7 } } });
  expect(others).toEqual([]);
  for (const words of ['fidelity below 0.6', 'prompt below 0.7', 'nearer than 0.1', 'safety from 0.5'])
    expect(line).toContain(words);
  expect(line).toContain('fewer than 100 left end the run');
});

test('criteria that these encoders cannot check', () => {
  const [line = ''] = lines({ curation: true }, 'tiny');
  expect(line).toContain('prompt not asked');
  expect(line).toContain('safety not checked');
});

test('the rounds, and whose price it is', () => {
  const [line = '', ...others] = lines({ adaptiveProxies: true });
  expect(others).toEqual([]);
  expect(line).toMatch(/at most 4 rounds \(\d+, \d+, \d+, 1000\).*the price is that of all/);
});
