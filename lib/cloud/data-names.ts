/** The names that a bucket and a table can have, so that a wrong one is found before a deployment. */

/** The rules that `isBucketName` checks, as a message. */
export const BUCKET_RULES =
  'the name of a general purpose bucket, without s3://: 3 to 63 lowercase letters, digits, dots and hyphens, with a ' +
  'letter or digit at both ends and on both sides of a dot, not an IP address, and without the prefixes and suffixes ' +
  'that S3 reserves';

/** The rules that `isTableName` checks, as a message. */
export const TABLE_RULES =
  'the name of a table: 3 to 255 letters, digits, underscores, dots and hyphens, with a letter or digit';

/** Parts between dots, each with a letter or digit at both ends. */
const LABELS = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const IP_ADDRESS = /^\d{1,3}(?:\.\d{1,3}){3}$/;
/** Reserved by S3, some of them for other kinds of buckets: "General purpose bucket naming rules" of its user guide. */
const PREFIXES = ['xn--', 'sthree-', 'amzn-s3-demo-'];
const SUFFIXES = ['-s3alias', '--ol-s3', '.mrap', '--x-s3', '--table-s3'];

/** True for a name that S3 and the CDK allow for a general purpose bucket. */
export function isBucketName(name: string): boolean {
  return (
    name.length >= 3 &&
    name.length <= 63 &&
    LABELS.test(name) &&
    !IP_ADDRESS.test(name) &&
    !PREFIXES.some((prefix) => name.startsWith(prefix)) &&
    !SUFFIXES.some((suffix) => name.endsWith(suffix))
  );
}

/** True for a name that DynamoDB allows for a table, except one of punctuation alone. */
export function isTableName(name: string): boolean {
  return /^[A-Za-z0-9_.-]{3,255}$/.test(name) && /[A-Za-z0-9]/.test(name);
}
