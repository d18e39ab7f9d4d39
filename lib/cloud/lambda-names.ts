/** The lambdas, each the folder of its handler: `lambdas/<name>/handler.ts`. */
export const LAMBDA_NAMES = [
  'start-run',
  'plan-run',
  'inspect-photos',
  'start-job',
  'settle-job',
  'reconcile-job',
  'weigh-proxies',
  'end-run',
  'publish-run',
] as const;
export type LambdaName = (typeof LAMBDA_NAMES)[number];
