/** The plans of the two runs whose reports are opened. */
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';

const planned = makePlan(
  parseRequest(
    JSON.stringify({
      category: 'car',
      preset: 'draft',
      proxies: 16,
      consent: true,
      curation: true,
      adaptiveProxies: true,
      advanced: {
        sample: { prompts: 3, picturesPerPrompt: 1 },
        synthesize: { picturesPerChunk: 4 },
        // The encoders have random weights, so these limits drop arbitrary images.
        curate: { fidelity: 0.97, duplicates: 0.3 },
      },
    }),
  ),
  { runId: 'rex-0a1b2c3d', subject: 'rex', bucket: 'photos', scale: 'tiny', version: '0.1.0' },
);
/** With the ground truth of a drawn subject the page has both tables of scores. */
const truth = {
  pattern: 'halves',
  body: [10, 120, 240],
  mark: [240, 200, 20],
  trim: [220, 30, 60],
  build: 0.3,
  stretch: 0.7,
};
const withTruth = { ...planned, request: { ...planned.request, truth } };
/** As if the models had their own weights: with stand-ins the page shows no score. */
export const PLAN = {
  ...withTruth,
  models: Object.fromEntries(
    Object.entries(planned.models).map(([role, model]) => [role, { ...model, standInFor: null }]),
  ) as typeof planned.models,
};

/** Without the curation and the truth, as most runs are. */
const { curation: _, ...plain } = planned;
export const PLAN_WITH_STAND_INS = plain;
