import { metrics as metricsSchema, stageOutcome } from '../../lib/core/contract/metrics.ts';
import type { JobRecord } from '../../lib/core/jobs/records.ts';
import {
  fillJobs,
  fillStages,
  STAGES_SLOT,
  stageOutcomes,
  totalUsd,
  withStages,
} from '../../lib/core/jobs/report-stages.ts';
import { JOB_STAGES, STANDARD_STAGES } from '../../lib/core/words.ts';
import { METRICS } from './example-metrics.ts';

/** Those of a run that asks for no more. */
const STAGES = STANDARD_STAGES;

const job = (facts: Pick<JobRecord, 'stage' | 'attempt'> & Partial<JobRecord>): JobRecord => ({
  pk: 'run#r',
  sk: `job#${facts.stage}-${facts.attempt}`,
  runId: 'r',
  jobName: `r-${facts.stage}-a${facts.attempt}`,
  kind: 'training',
  state: 'SUCCEEDED',
  token: 't',
  reported: true,
  createdAt: '2026-01-01T00:00:00.000Z',
  instanceType: 'ml.g5.2xlarge',
  maxRuntimeSeconds: 60,
  ...facts,
});

const JOBS = [
  job({ stage: 'teach', attempt: 1, state: 'FAILED', seconds: 100, usd: 0.1 }),
  job({ stage: 'teach', attempt: 2, seconds: 1000, usd: 0.2, instanceType: 'ml.g6e.xlarge' }),
  job({ stage: 'synthesize', attempt: 1, seconds: 50, usd: 0.0001 }),
  // Refused, so never billed.
  job({ stage: 'learn', attempt: 1, state: 'FAILED' }),
];

test('every job stage has its outcome, in the order of the pipeline, all attempts added up', () => {
  const outcomes = stageOutcomes(JOBS);
  expect(outcomes.map(({ stage }) => stage)).toEqual(STAGES);
  expect(outcomes[0]).toEqual({
    stage: 'teach',
    attempts: 2,
    instance: 'ml.g6e.xlarge',
    seconds: 1100,
    // 0.1 + 0.2 in binary is 0.30000000000000004.
    usd: 0.3,
  });
  expect(outcomes[2]).toMatchObject({ attempts: 1, seconds: 0, usd: 0 });
  expect(outcomes[5]).toEqual({ stage: 'evaluate', attempts: 0, instance: null, seconds: 0, usd: 0 });
  for (const outcome of outcomes) expect(stageOutcome.parse(outcome)).toEqual(outcome);
});

test('a stage that only some runs have says where it ran, its rounds added up', () => {
  const rounds = [
    job({ stage: 'curate', attempt: 1, seconds: 10, usd: 0.1 }),
    job({ stage: 'curate', attempt: 1, round: 2, seconds: 5, usd: 0.05 }),
  ];
  const outcomes = stageOutcomes([...JOBS, ...rounds]);
  expect(outcomes.map(({ stage }) => stage)).toEqual([...JOB_STAGES]);
  expect(outcomes[2]).toMatchObject({ stage: 'curate', attempts: 2, seconds: 15, usd: 0.15 });
});

test('the sum is the sum of the stages', () => {
  expect(totalUsd(stageOutcomes(JOBS))).toBe(0.3001);
  expect(totalUsd([])).toBe(0);
});

test('the page gets a row a stage and one for all, in its slot and nowhere else', () => {
  const page = `<table><tbody>${STAGES_SLOT}</tbody></table><p>after</p>`;
  const html = fillStages(page, stageOutcomes(JOBS));
  expect(html).toMatch(/^<table><tbody><tr>.*<\/tr><\/tbody><\/table><p>after<\/p>$/s);
  expect(html.match(/<tr/g)).toHaveLength(STAGES.length + 1);
  expect(html).toContain(
    '<th scope="row">teach</th><td>ml.g6e.xlarge</td><td>2</td><td>1100 s</td><td>$0.3000</td>',
  );
  expect(html).toContain('<td></td><td>0</td><td>0 s</td><td>$0.0000</td>');
  expect(html).toMatch(
    /<tr class="total"><th scope="row">all jobs<\/th>.*<td>1150 s<\/td><td>\$0\.3001<\/td>/,
  );
  expect(html).not.toContain(STAGES_SLOT);
  // As many cells as there are columns, in every row.
  for (const row of html.match(/<tr.*?<\/tr>/g) ?? []) expect(row.match(/<t[hd]/g)).toHaveLength(5);
});

test('the dollar signs of the rows are not patterns of a replacement', () => {
  const outcome = { stage: 'teach', attempts: 1, instance: "$&$'", seconds: 1, usd: 1 };
  expect(fillStages(`a${STAGES_SLOT}b`, [outcome])).toContain("<td>$&$'</td>");
});

test('the page gets the names of the jobs that made the adapters, not of those that failed', () => {
  const slot = (stage: string) => `<!-- proxytune:job:${stage} -->`;
  expect(fillJobs(`a/${slot('teach')}/b ${slot('teach')} ${slot('synthesize')} ${slot('learn')}`, JOBS)).toBe(
    `a/r-teach-a2/b r-teach-a2 r-synthesize-a1 ${slot('learn')}`,
  );
});

test('metrics with the stages still fit their schema, and the given ones stay as they are', () => {
  const filled = withStages(METRICS, stageOutcomes(JOBS));
  expect(metricsSchema.parse(filled)).toEqual(filled);
  expect(filled.stages).toHaveLength(STAGES.length);
  expect(METRICS.stages).toEqual([]);
});
