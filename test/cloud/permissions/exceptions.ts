/**
 * Permissions that no traced call needs, each with the reason why it stays. The tests fail on an entry that is not needed any more,
 * and print how many there are.
 */
export interface Exception {
  /** The permission, as a removal is called. */
  readonly what: RegExp;
  readonly reason: string;
}

export const EXCEPTIONS: readonly Exception[] = [
  {
    what: /^Images\w*, statement 0: /,
    reason: 'cdk deploy builds and pushes the image in an account; the local cloud has no image to push',
  },
  {
    what: /^JobRole\w+, statement \d+: without s3:DeleteObject on \S+\/pictures\/\*$/,
    reason:
      'SageMaker deletes the copy of a temporary file that it mirrored just before the container renamed it, which ' +
      'depends on the moment',
  },
  {
    what: /^MachineLambdasReconcileJobRole\w+, statement \d+: without s3:ListBucket if s3:prefix is runs\/\*\/pictures\/\*$/,
    reason:
      'the samples of a job whose event was lost: the recorded passes lose the events of jobs that generate proxies, ' +
      'and test/lambdas/reconcile-job looks up samples',
  },
];
