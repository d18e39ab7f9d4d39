/** The supported regions: those of the partition `aws`. */
import { ProxytuneError } from '../errors.ts';

/** The other partitions, by the beginning of their regions' names. Prices, instance types and AMIs differ there. */
const OTHER_PARTITIONS: readonly (readonly [RegExp, string])[] = [
  [/^cn-/, 'aws-cn'],
  [/^us-gov-/, 'aws-us-gov'],
  [/^us-isob-/, 'aws-iso-b'],
  [/^us-isof-/, 'aws-iso-f'],
  [/^us-iso-/, 'aws-iso'],
  [/^eu-isoe-/, 'aws-iso-e'],
  [/^eusc-/, 'aws-eusc'],
];

/** @throws ProxytuneError `UsageInvalid` if a region is in another partition than `aws` */
export function requireSupportedRegion(region: string): void {
  const partition = OTHER_PARTITIONS.find(([names]) => names.test(region))?.[1];
  if (partition === undefined) return;
  throw new ProxytuneError('UsageInvalid', {
    what: `The region ${region} is in the partition ${partition}, which Proxytune does not support`,
    given: region,
    allowed: 'a region of the partition aws, such as us-east-1 or eu-central-1',
    remedy: 'set AWS_REGION to such a region',
  });
}
