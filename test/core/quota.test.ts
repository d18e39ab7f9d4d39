/** Quotas in the words of real refusals, each with the place where somebody published it. */
import { refusal } from '../../lib/core/jobs/outcome.ts';
import { quotaIn, quotaRemedy } from '../../lib/core/jobs/quota.ts';

const ASK_SUPPORT = 'Please contact AWS support to request an increase for this limit.';
const ASK_QUOTAS =
  'Please use AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an increase for this quota.';

/** Sentence, quota, error. */
const REFUSALS: readonly (readonly [string, object, string])[] = [
  // github.com/gabehollombe-aws/jupyter-notebooks/issues/1, 2020
  [
    `The account-level service limit 'ml.p3.2xlarge for training job usage' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances. ${ASK_SUPPORT}`,
    { name: 'ml.p3.2xlarge for training job usage', limit: 0, used: 0, asked: 1 },
    'QuotaTooLow',
  ],
  // github.com/data-science-on-aws/data-science-on-aws/issues/200, 2021
  [
    `The account-level service limit 'Number of instances across all processing jobs' is 4 Instances, with current utilization of 0 Instances and a request delta of 11 Instances. ${ASK_SUPPORT}`,
    { name: 'Number of instances across all processing jobs', limit: 4, used: 0, asked: 11 },
    'QuotaTooLow',
  ],
  // github.com/aws/amazon-sagemaker-examples/issues/1543, 2020: more in use than the limit is
  [
    `The account-level service limit 'ml.p3.8xlarge for training job usage' is 2 Instances, with current utilization of 3 Instances and a request delta of 1 Instances. ${ASK_SUPPORT}`,
    { name: 'ml.p3.8xlarge for training job usage', limit: 2, used: 3, asked: 1 },
    'QuotaBusy',
  ],
  // github.com/aws/sagemaker-python-sdk/issues/35, 2017
  [
    `The account-level service limit for training-job/ml.p2.xlarge is 0 Instances, with current utilization of 0 Instances and a request delta of 2 Instances. ${ASK_SUPPORT}`,
    { name: 'training-job/ml.p2.xlarge', limit: 0, used: 0, asked: 2 },
    'QuotaTooLow',
  ],
  // A log of 2025 with the words of today, broken into lines by a terminal.
  [
    `The \naccount-level service limit 'ml.g6.48xlarge for endpoint usage' is 0 Instances, with current utilization of 0 \nInstances and a request delta of 1 Instances. ${ASK_QUOTAS}`,
    { name: 'ml.g6.48xlarge for endpoint usage', limit: 0, used: 0, asked: 1 },
    'QuotaTooLow',
  ],
  // Seen with a quota of SageMaker Studio: no name at all.
  [
    `The account-level service limit is 0 Apps, with current utilization of 0 Apps and a request delta of 1 Apps. ${ASK_SUPPORT}`,
    { name: undefined, limit: 0, used: 0, asked: 1, unit: 'Apps' },
    'QuotaTooLow',
  ],
  // The same form with the numbers of a run: four instances in an account that may have one, and one too many.
  [
    `The account-level service limit 'ml.g5.2xlarge for transform job usage' is 1 Instances, with current utilization of 0 Instances and a request delta of 4 Instances. ${ASK_QUOTAS}`,
    { name: 'ml.g5.2xlarge for transform job usage', limit: 1, used: 0, asked: 4 },
    'QuotaTooLow',
  ],
  [
    `The account-level service limit 'ml.g5.2xlarge for transform job usage' is 4 Instances, with current utilization of 1 Instances and a request delta of 4 Instances. ${ASK_QUOTAS}`,
    { name: 'ml.g5.2xlarge for transform job usage', limit: 4, used: 1, asked: 4 },
    'QuotaBusy',
  ],
];

test.each(REFUSALS)('%s', (message, quota, error) => {
  expect(quotaIn(message)).toMatchObject(quota);
  expect(refusal({ name: 'ResourceLimitExceeded', message }).error).toBe(error);
});

test('a quota in unknown words is waited for, unless it is none at all', () => {
  const refused = (message: string) => refusal({ name: 'ResourceLimitExceeded', message });
  expect(quotaIn('You have reached your limit')).toBeUndefined();
  expect(refused('You have reached your limit').error).toBe('QuotaBusy');
  expect(refused('The limit for transform job usage is 0 Instances').error).toBe('QuotaTooLow');
});

test('a quota that is too low says how much it is, how much is needed, and where to ask for that', () => {
  const [message] = REFUSALS[6] ?? [''];
  expect(refusal({ name: 'ResourceLimitExceeded', message }).message).toMatch(
    /^The quota "ml\.g5\.2xlarge for transform job usage" of this account is 1, and the job needs 4\. No waiting helps\./,
  );
  expect(quotaRemedy({ name: 'ml.g5.2xlarge for transform job usage', asked: 4 })).toMatch(
    /^ask for at least 4 for "ml\.g5\.2xlarge for transform job usage" in Service Quotas.*https:\/\//,
  );
  expect(quotaRemedy(undefined)).toMatch(
    /^ask for more for the quota for this instance type and kind of job in Service Quotas.*https:\/\//,
  );
});
