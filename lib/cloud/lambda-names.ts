/** The names of the lambdas; each handler is `lambdas/<name>/handler.ts`. */

/** Those of runs, which every deployment has. */
export const LAMBDA_NAMES = [
  'start-run',
  'withdraw-run',
  'plan-run',
  'inspect-photos',
  'start-job',
  'complete-job',
  'reconcile-job',
  'decide-round',
  'end-run',
  'publish-run',
  'stop-jobs',
] as const;

/** Those that work at deployment, where the settings ask for it. */
export const DEPLOYMENT_LAMBDA_NAMES = ['check-data', 'empty-bucket', 'retain-job-logs'] as const;

export const ALL_LAMBDA_NAMES = [...LAMBDA_NAMES, ...DEPLOYMENT_LAMBDA_NAMES] as const;
export type LambdaName = (typeof ALL_LAMBDA_NAMES)[number];
