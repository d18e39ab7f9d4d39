/** The names of the lambdas; each handler is `lambdas/<name>/handler.ts`. */
export const LAMBDA_NAMES = [
  'start-run',
  'plan-run',
  'inspect-photos',
  'start-job',
  'complete-job',
  'reconcile-job',
  'decide-round',
  'end-run',
  'publish-run',
] as const;
export type LambdaName = (typeof LAMBDA_NAMES)[number];
