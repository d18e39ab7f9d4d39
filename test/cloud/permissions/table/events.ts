/** The permissions of the state machine and of services, and what nobody may do. */

import type { Row } from './row.ts';

const INVOKED = [
  'plan-run',
  'inspect-photos',
  'start-job',
  'reconcile-job',
  'decide-round',
  'publish-run',
  'end-run',
];

const MACHINE: readonly Row[] = [
  {
    who: 'machine',
    may: 'lambda:InvokeFunction',
    on: INVOKED.map((name) => `lambda ${name}:*`),
    why: 'invokes a version of the lambda of a state; none that references the machine',
  },
  {
    who: 'machine',
    may: [
      'logs:CreateLogDelivery',
      'logs:GetLogDelivery',
      'logs:UpdateLogDelivery',
      'logs:DeleteLogDelivery',
      'logs:ListLogDeliveries',
      'logs:PutResourcePolicy',
      'logs:DescribeResourcePolicies',
      'logs:DescribeLogGroups',
    ],
    on: '*',
    why: 'Step Functions sets up the delivery of its log; these actions have no resource types',
  },
];

const RULES = [
  ['PhotosReady', 'start-run'],
  ['RequestDeleted', 'withdraw-run'],
  ['TrainingChanged', 'complete-job'],
  ['TransformChanged', 'complete-job'],
  ['RunFailed', 'end-run'],
] as const;

const SERVICES: readonly Row[] = [
  ...RULES.flatMap(([rule, lambda]): Row[] => [
    {
      who: 'events.amazonaws.com',
      may: 'lambda:InvokeFunction',
      on: `lambda ${lambda}`,
      if: { 'ArnLike aws:SourceArn': `rule ${rule}` },
      why: 'a rule invokes its lambda',
    },
    {
      who: 'events.amazonaws.com',
      may: 'sqs:SendMessage',
      on: 'queue',
      if: { 'ArnEquals aws:SourceArn': `rule ${rule}` },
      why: 'a rule keeps an event that it could not deliver',
    },
  ]),
  {
    who: 'cloudwatch.amazonaws.com',
    may: 'sns:Publish',
    on: 'topic',
    if: { 'StringEquals aws:SourceAccount': 'this account' },
    why: 'the alarm notifies; a topic with a policy of its own does not let alarms publish by default',
  },
];

const NOBODY: readonly Row[] = [
  {
    who: 'anyone',
    mayNot: 's3:*',
    on: ['bucket', 'bucket/*'],
    if: { 'Bool aws:SecureTransport': 'false' },
    why: 'photos travel encrypted',
  },
  {
    who: 'anyone',
    mayNot: 's3:*',
    on: ['bucket', 'bucket/*'],
    if: { 'NumericLessThan s3:TlsVersion': '1.2' },
    why: 'photos travel encrypted by a version without known weaknesses',
  },
  {
    who: 'anyone',
    mayNot: 'sns:Publish',
    on: 'topic',
    if: { 'Bool aws:SecureTransport': 'false' },
    why: 'messages travel encrypted',
  },
  {
    who: 'anyone',
    mayNot: 'sqs:*',
    on: 'queue',
    if: { 'Bool aws:SecureTransport': 'false' },
    why: 'events travel encrypted',
  },
];

export const EVENTS: readonly Row[] = [...MACHINE, ...SERVICES, ...NOBODY];
