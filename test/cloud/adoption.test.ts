/** The templates of a deployment that adopts data, and of one that sets the retention of the account's job logs. */
import { grantsOf } from './permissions/grants.ts';
import { policiesOf } from './permissions/policies.ts';
import { plain, removeTemporary, resourcesOf, synthesize, type Template, theOnly } from './synthesize.ts';

const usual = synthesize();
const adopting = synthesize({ bucketName: 'left-behind', tableName: 'Runs-of-before' });

afterAll(removeTemporary);

const typesOf = ({ Resources }: Template) => Object.values(Resources).map(({ Type }) => Type);

/** The permissions of the roles in a template, one line each. */
const allowed = (template: Template) =>
  policiesOf(template)
    .filter(({ kind }) => kind === 'identity')
    .flatMap(grantsOf)
    .map(({ action, on }) => `${action} on ${on}`)
    .filter((line) => !/^logs:(CreateLogStream|PutLogEvents) /.test(line))
    .sort();

test('an adopted bucket gets the policy of ours, an adopted table nothing', () => {
  expect(typesOf(adopting.data)).not.toContain('AWS::S3::Bucket');
  expect(typesOf(adopting.data)).not.toContain('AWS::DynamoDB::Table');
  const policyOf = ({ data }: typeof usual) =>
    Object.entries(data.Resources).find(([id]) => /^DataPolicy/.test(id));
  const [usualId, usualPolicy] = policyOf(usual) ?? [];
  const [id, policy] = policyOf(adopting) ?? [];
  // The same resource, so that a deployment may adopt the bucket that it has created.
  expect(id).toBe(usualId);
  expect(policy?.Properties.Bucket).toBe('left-behind');
  const bucketId = Object.keys(usual.data.Resources).find((key) => /^Data[0-9A-F]{8}$/.test(key));
  const [statements, expected] = [policy, usualPolicy].map((resource) =>
    JSON.stringify(resource?.Properties.PolicyDocument.Statement.map(statement)),
  );
  expect(statements).toBe(expected?.replaceAll(`<${bucketId}.Arn>`, 'arn:<AWS::Partition>:s3:::left-behind'));
});

function statement({ Resource, ...rest }: { readonly Resource: unknown[] }) {
  return { ...rest, Resource: Resource.map(plain) };
}

test('lambdas, jobs, rules and outputs name the adopted data', () => {
  const rule = resourcesOf(adopting.template, 'AWS::Events::Rule').find(
    ([, { Properties }]) => Properties.EventPattern.source[0] === 'aws.s3',
  );
  expect(rule?.[1].Properties.EventPattern.detail.bucket).toEqual({ name: ['left-behind'] });
  expect(adopting.template.Outputs.BucketName?.Value).toBe('left-behind');
  expect(adopting.template.Outputs.TableName?.Value).toBe('Runs-of-before');
  const lines = allowed(adopting.template);
  const others = allowed(usual.template).filter((line) => / on (bucket|table)/.test(line));
  expect(others.length).toBeGreaterThan(50);
  for (const line of others) {
    const renamed = line
      .replace(/ on bucket/, ' on arn:$' + '{AWS::Partition}:s3:::left-behind')
      .replace(/ on table/, ' on dynamodb:table/Runs-of-before');
    expect(lines).toContain(renamed);
  }
});

test('the check may read the settings of the adopted data, and nothing in it', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference, as text
  const bucket = 'arn:${AWS::Partition}:s3:::left-behind';
  expect(allowed(adopting.data)).toEqual([
    'dynamodb:DescribeTable on dynamodb:table/Runs-of-before',
    `s3:GetBucketNotification on ${bucket}`,
    `s3:GetBucketPublicAccessBlock on ${bucket}`,
    `s3:GetBucketVersioning on ${bucket}`,
    `s3:GetEncryptionConfiguration on ${bucket}`,
    `s3:GetLifecycleConfiguration on ${bucket}`,
    `s3:ListBucket on ${bucket}`,
  ]);
  const check = theOnly(adopting.data, 'Custom::ProxytuneDataCheck');
  expect(check.Properties).toMatchObject({
    BucketName: 'left-behind',
    TableName: 'Runs-of-before',
    Version: '9.9.9',
    ServiceTimeout: '120',
  });
});

test('only what is adopted is checked', () => {
  const { data } = synthesize({ tableName: 'Runs-of-before' });
  expect(typesOf(data)).toContain('AWS::S3::Bucket');
  expect(theOnly(data, 'Custom::ProxytuneDataCheck').Properties.BucketName).toBeUndefined();
  expect(allowed(data)).toEqual(['dynamodb:DescribeTable on dynamodb:table/Runs-of-before']);
  expect(typesOf(usual.data).filter((type) => type.startsWith('Custom::'))).toEqual([]);
});

test('the retention of job logs is set where the settings ask for it, on the groups of SageMaker only', () => {
  expect(typesOf(usual.template)).not.toContain('Custom::ProxytuneJobLogs');
  const { template } = synthesize({ jobLogRetentionDays: '90' });
  expect(theOnly(template, 'Custom::ProxytuneJobLogs').Properties).toMatchObject({
    Groups: ['/aws/sagemaker/TrainingJobs', '/aws/sagemaker/TransformJobs'],
    Days: 90,
  });
  const added = allowed(template);
  for (const line of allowed(usual.template)) added.splice(added.indexOf(line), 1);
  expect(added).toEqual([
    'logs:CreateLogGroup on logs:log-group:/aws/sagemaker/TrainingJobs:*',
    'logs:CreateLogGroup on logs:log-group:/aws/sagemaker/TransformJobs:*',
    'logs:DescribeLogGroups on *',
    'logs:PutRetentionPolicy on logs:log-group:/aws/sagemaker/TrainingJobs:*',
    'logs:PutRetentionPolicy on logs:log-group:/aws/sagemaker/TransformJobs:*',
  ]);
});
