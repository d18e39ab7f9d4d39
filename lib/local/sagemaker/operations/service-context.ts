/** The context of the operations: the jobs' context, the active runs, and names of resources. */

import type { Quotas } from '../../service-quotas/quotas.ts';
import type { JobContext } from '../jobs/context.ts';
import type { TrainingRun } from '../jobs/training-run.ts';
import type { TransformRun } from '../jobs/transform-run.ts';

export interface ServiceContext extends JobContext {
  readonly accountId: string;
  readonly quotas: Quotas;
  /** True if quotas are checked before the name of a new job. */
  limitsFirst: boolean;
  /** Copied by each job when it is created. */
  containerEnv: Readonly<Record<string, string>>;
  readonly trainingRuns: Map<string, TrainingRun>;
  readonly transformRuns: Map<string, TransformRun>;
}

export type Response = Record<string, unknown>;

/** An operation on a validated request; its result is reduced to the operation's output shape. */
export type Operation = (context: ServiceContext, request: never) => Response | Promise<Response>;

export function arnOf(
  context: ServiceContext,
  kind: 'training-job' | 'transform-job' | 'model',
  name: string,
): string {
  return `arn:aws:sagemaker:${context.s3.region}:${context.accountId}:${kind}/${name}`;
}

/** Converts a timestamp to epoch seconds, as used in the API. */
export function seconds(time: number | undefined): number | undefined {
  return time === undefined ? undefined : time / 1000;
}
