/** The permissions that would be worst to lose sight of, each in a sentence. */
import { removeTemporary, resourcesOf } from '../synthesize.ts';
import { actionsOf, conditionsOf, GRANTS, grantsTo, templates, unique } from './granted.ts';

afterAll(removeTemporary);

test('the machine may invoke its seven lambdas, and none that references the machine', () => {
  const lambdas = grantsTo('machine').flatMap(({ on }) => /^lambda ([\w-]+)/.exec(on)?.[1] ?? []);
  expect(unique(lambdas)).toEqual([
    'decide-round',
    'end-run',
    'inspect-photos',
    'plan-run',
    'publish-run',
    'reconcile-job',
    'start-job',
  ]);
});

test('only start-job can pass the job role, and only to SageMaker', () => {
  expect(GRANTS.filter(({ action }) => action === 'iam:PassRole')).toEqual([
    {
      who: 'start-job',
      effect: 'may',
      action: 'iam:PassRole',
      on: 'role of jobs',
      if: { 'StringEquals iam:PassedToService': ['sagemaker.amazonaws.com'] },
    },
  ]);
});

test('training is limited: known types, bounded time, no network', () => {
  const known = expect.arrayContaining(['ml.g5.xlarge']);
  expect(conditionsOf('start-job', 'sagemaker:CreateTrainingJob')).toEqual({
    'ForAllValues:StringEquals sagemaker:InstanceTypes': known,
    'Null sagemaker:InstanceTypes': ['false'],
    'NumericLessThanEquals sagemaker:MaxRuntimeInSeconds': [String(72 * 3600)],
    'Bool sagemaker:NetworkIsolation': ['true'],
  });
});

test('only the job that imports models reads the secret, and no lambda can start it', () => {
  const reading = GRANTS.filter(({ action }) => action.startsWith('secretsmanager:'));
  expect(reading.map(({ who, action }) => `${who} ${action}`)).toEqual([
    'import secretsmanager:GetSecretValue',
  ]);
  expect(reading[0]?.on).toBe('secretsmanager:secret:proxytune/Proxytune/hugging-face-token-??????');
  expect(actionsOf('import')).not.toContain('iam:PassRole');
  const using = GRANTS.filter(({ on }) => on === 'role of the import');
  expect(using.map(({ who }) => who)).toEqual(['sagemaker.amazonaws.com']);
});

test.each(['sagemaker.amazonaws.com', 'states.amazonaws.com'])(
  '%s assumes roles only on behalf of this account',
  (service) => {
    const assuming = GRANTS.filter(({ who, action }) => who === service && action === 'sts:AssumeRole');
    expect(assuming).not.toEqual([]);
    for (const grant of assuming)
      expect(grant.if).toEqual({ 'StringEquals aws:SourceAccount': ['this account'] });
  },
);

test('no role has a managed policy', () => {
  const roles = templates.flatMap((template) => resourcesOf(template, 'AWS::IAM::Role'));
  expect(roles.length).toBeGreaterThan(10);
  for (const [, { Properties }] of roles) expect(Properties.ManagedPolicyArns).toBeUndefined();
});

/** Actions on every resource, each with the reason why it cannot be narrower. */
const ON_EVERYTHING: Record<string, string> = {
  'cloudwatch:PutMetricData': 'has no resource types; a condition fixes the namespace',
  'ecr:GetAuthorizationToken':
    'returns a token for the whole registry; pulling also requires access to the repository',
  'logs:CreateLogDelivery': 'vended logs of Step Functions have no resource types',
  'logs:DeleteLogDelivery': 'vended logs of Step Functions have no resource types',
  'logs:DescribeLogGroups': 'vended logs of Step Functions have no resource types',
  'logs:DescribeResourcePolicies': 'vended logs of Step Functions have no resource types',
  'logs:GetLogDelivery': 'vended logs of Step Functions have no resource types',
  'logs:ListLogDeliveries': 'vended logs of Step Functions have no resource types',
  'logs:PutResourcePolicy': 'vended logs of Step Functions have no resource types',
  'logs:UpdateLogDelivery': 'vended logs of Step Functions have no resource types',
  'sagemaker:ListTrainingJobs': 'has no resource types; names tell which jobs are the stack’s',
  'sagemaker:ListTransformJobs': 'has no resource types; names tell which jobs are the stack’s',
};

test('only actions without resource types are allowed on all resources', () => {
  const allowed = GRANTS.filter(({ effect }) => effect === 'may');
  const wide = allowed.filter(({ on }) => on === '*');
  expect(unique(wide.map(({ action }) => action))).toEqual(Object.keys(ON_EVERYTHING).sort());
  expect(allowed.filter(({ action }) => action.includes('*'))).toEqual([]);
});
