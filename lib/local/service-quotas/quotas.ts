/** The quotas of SageMaker that jobs need: their names, their values, and the sentence that refuses a job. */
import { createHash } from 'node:crypto';

/** The kinds of jobs with a quota of their own for each instance type. */
export type Use = 'training job' | 'spot training job' | 'transform job';

export interface Quota {
  readonly name: string;
  readonly code: string;
  /** As in the messages of SageMaker. */
  readonly unit: 'Instances' | 'Seconds';
  /** AWS's value for a new account, as far as it is known. */
  readonly standard: number;
}

/** How much of a quota a request needs. */
export interface Demand {
  readonly name: string;
  readonly used: number;
  readonly asked: number;
}

/** More than any test or run uses at once; a new account has 0 or 1. */
const INSTANCES = 100;

/** Names and codes that do not depend on an instance type. The run time of five days is AWS's own default. */
export const LONGEST_TRAINING: Quota = {
  name: 'Longest run time for a training job',
  code: 'L-33A961FD',
  unit: 'Seconds',
  standard: 432_000,
};
export const ALL_TRAINING: Quota = {
  name: 'Number of instances across all training jobs',
  code: 'L-00C91CB5',
  unit: 'Instances',
  standard: INSTANCES,
};
export const ALL_TRANSFORM: Quota = {
  name: 'Number of instances across all transform jobs',
  code: 'L-60D2A6F0',
  unit: 'Instances',
  standard: INSTANCES,
};

/** The quota of an instance type, for example `ml.g5.xlarge for spot training job usage`. */
export function usageQuota(instanceType: string, use: Use): Quota {
  const name = `${instanceType} for ${use} usage`;
  return { name, code: codeOf(name), unit: 'Instances', standard: INSTANCES };
}

/** A code of the right form: AWS's own are not published, so nothing may depend on them. */
function codeOf(name: string): string {
  return `L-${createHash('sha256').update(name).digest('hex').slice(0, 8).toUpperCase()}`;
}

export interface QuotaTypes {
  readonly training: readonly string[];
  readonly transform: readonly string[];
}

export class Quotas {
  readonly all: readonly Quota[];
  readonly #byName: ReadonlyMap<string, Quota>;
  readonly #applied = new Map<string, number>();

  constructor({ training, transform }: QuotaTypes) {
    this.all = [
      LONGEST_TRAINING,
      ALL_TRAINING,
      ALL_TRANSFORM,
      ...training.map((type) => usageQuota(type, 'training job')),
      ...training.map((type) => usageQuota(type, 'spot training job')),
      ...transform.map((type) => usageQuota(type, 'transform job')),
    ];
    this.#byName = new Map(this.all.map((quota) => [quota.name, quota]));
  }

  /**
   * Applies values to quotas by name.
   * @throws RangeError for a name that no quota has, or a value below 0
   */
  set(values: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(values)) {
      if (!this.#byName.has(name)) throw new RangeError(`SageMaker has no quota "${name}".`);
      if (!(value >= 0)) throw new RangeError(`The quota "${name}" must be 0 or more, got ${value}.`);
      this.#applied.set(name, value);
    }
  }

  valueOf({ name, standard }: Quota): number {
    return this.#applied.get(name) ?? standard;
  }

  /** Returns SageMaker's sentence for the first demand that its quota does not allow; undefined if all are allowed. */
  refusal(demands: readonly Demand[]): string | undefined {
    for (const { name, used, asked } of demands) {
      const quota = this.#byName.get(name);
      if (quota === undefined) continue;
      const limit = this.valueOf(quota);
      if (used + asked <= limit) continue;
      return (
        `The account-level service limit '${name}' is ${limit} ${quota.unit}, with current utilization of ${used} ` +
        `${quota.unit} and a request delta of ${asked} ${quota.unit}. Please use AWS Service Quotas to request an ` +
        'increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an increase ' +
        'for this quota.'
      );
    }
    return undefined;
  }
}
