/** A quota of the account that refused a job, as the words of SageMaker's refusal give it. */

export interface QuotaRefusal {
  /** As Service Quotas lists it, such as `ml.g5.2xlarge for training job usage`; undefined where AWS leaves it out. */
  readonly name: string | undefined;
  readonly limit: number;
  /** Of the limit, how much was in use. */
  readonly used: number;
  /** How much more the job asks for. */
  readonly asked: number;
  /** Mostly `Instances`. */
  readonly unit: string;
}

/**
 * The sentence since 2018 or so, with its name in quotes, without one, or, before that, as
 * `for training-job/ml.p2.xlarge`. What comes after it, the way to a higher quota, was reworded over the years.
 */
const SENTENCE =
  /limit\s+(?:'(?<quoted>[^']+)'\s+|for\s+(?<named>\S.*?)\s+)?is\s+(?<limit>\d+)\s+(?<unit>\w+),\s+with\s+current\s+utilization\s+of\s+(?<used>\d+)\s+\w+\s+and\s+a\s+request\s+delta\s+of\s+(?<asked>\d+)/s;

/** @returns undefined for a refusal in other words */
export function quotaIn(message: string): QuotaRefusal | undefined {
  const found = SENTENCE.exec(message)?.groups;
  if (found === undefined) return undefined;
  const { quoted, named, limit, used, asked, unit = 'Instances' } = found;
  const name = (quoted ?? named)?.replace(/\s+/g, ' ');
  return { name, limit: Number(limit), used: Number(used), asked: Number(asked), unit };
}

/** Checks whether the job alone asks for more than the quota is, so that the end of no other job helps. */
export function neverSuffices({ limit, asked }: Pick<QuotaRefusal, 'limit' | 'asked'>): boolean {
  return asked > limit;
}

/** The page of SageMaker's quotas; the console opens it in the region that its user was in last. */
const QUOTAS_PAGE = 'https://console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas';

/** The quota, the number to ask for, and where. @param refusal - undefined for one in words that are not understood */
export function quotaRemedy(refusal: Pick<QuotaRefusal, 'name' | 'asked'> | undefined): string {
  const more = refusal === undefined ? 'more' : `at least ${refusal.asked}`;
  const quota =
    refusal?.name === undefined ? 'the quota for this instance type and kind of job' : `"${refusal.name}"`;
  return `ask for ${more} for ${quota} in Service Quotas, in the region of the stack (${QUOTAS_PAGE})`;
}
