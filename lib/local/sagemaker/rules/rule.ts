/** Rules that SageMaker enforces beyond its API model: one named function per rule. */
import { validationError } from '../errors.ts';
import type { Tag } from '../state/requests.ts';

/** Returns why a request is rejected, or undefined if it is valid. */
export type Rule<Request> = (request: Request) => string | undefined;

/**
 * Applies the rules in order and throws the first objection, as SageMaker does.
 * @throws ServiceError ValidationException
 */
export function applyRules<Request>(rules: readonly Rule<Request>[], request: Request): void {
  for (const rule of rules) {
    const objection = rule(request);
    if (objection) throw validationError(objection);
  }
}

/** Requires unique tag keys in a request. */
export function tagKeysAreUnique(request: { readonly Tags?: readonly Tag[] }): string | undefined {
  const keys = (request.Tags ?? []).map((tag) => tag.Key);
  const repeated = keys.find((key, index) => keys.indexOf(key) !== index);
  return repeated && `Duplicate tag key found: ${repeated}. Each key may be used once.`;
}

/**
 * Instance families with local NVMe storage instead of EBS, which a volume key cannot encrypt.
 * From sagemaker-python-sdk's `volume_size_supported` (2.257): these, and every family with a `d`.
 */
const NVME_FAMILIES = ['g5', 'g6', 'p5', 'trn1'];

/** Returns true if an instance type, e.g. `ml.g4dn.xlarge`, stores its data on NVMe. */
export function hasNvmeStorage(instanceType: string): boolean {
  const family = instanceType.split('.')[1] ?? '';
  return family.includes('d') || NVME_FAMILIES.some((nvme) => family.startsWith(nvme));
}
