/** The quota that a job exceeds, read from the text of SageMaker's refusal. */

export interface QuotaRefusal {
  /** As Service Quotas lists it, such as `ml.g5.2xlarge for training job usage`; undefined where AWS leaves it out. */
  readonly name: string | undefined;
  readonly limit: number;
  /** The part of the limit that was in use. */
  readonly used: number;
  /** How much more the job asks for. */
  readonly asked: number;
  /** Mostly `Instances`. */
  readonly unit: string;
}

/**
 * SageMaker's sentence, with the quota's name in quotes, without a name, or, until about 2018, with
 * `for training-job/ml.p2.xlarge`. The text after it, about raising the quota, has changed over the years.
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

/** Returns true if the job alone needs more than the quota, so that waiting for other jobs does not help. */
export function neverSuffices({ limit, asked }: Pick<QuotaRefusal, 'limit' | 'asked'>): boolean {
  return asked > limit;
}

/** The page of SageMaker's quotas. The console opens it in the region that the user last visited. */
const QUOTAS_PAGE = 'https://console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas';

/** The quota, the number to ask for, and where. @param refusal - undefined for one in words that are not understood */
export function quotaRemedy(refusal: Pick<QuotaRefusal, 'name' | 'asked'> | undefined): string {
  const more = refusal === undefined ? 'more' : `at least ${refusal.asked}`;
  const quota =
    refusal?.name === undefined ? 'the quota for this instance type and kind of job' : `"${refusal.name}"`;
  return `ask for ${more} for ${quota} in Service Quotas, in the region of the stack (${QUOTAS_PAGE})`;
}
