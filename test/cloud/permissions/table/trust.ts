/** Who may use a role. */
import { LAMBDA_NAMES } from '../../../../lib/cloud/lambda-names.ts';
import type { Row } from './row.ts';

const HERE = { 'StringEquals aws:SourceAccount': 'this account' };

export const TRUST: readonly Row[] = [
  {
    who: 'lambda.amazonaws.com',
    may: 'sts:AssumeRole',
    on: LAMBDA_NAMES.map((name) => `role of ${name}`),
    why: 'runs the lambda; creating a function with the role requires iam:PassRole',
  },
  {
    who: 'sagemaker.amazonaws.com',
    may: 'sts:AssumeRole',
    on: ['role of jobs', 'role of the import'],
    if: HERE,
    why: 'runs jobs, only on behalf of this account, against the confused deputy problem',
  },
  {
    who: 'states.amazonaws.com',
    may: 'sts:AssumeRole',
    on: 'role of the machine',
    if: HERE,
    why: 'runs the state machine, only on behalf of this account',
  },
];
