import { readSettings } from '../../lib/cloud/settings.ts';
import { instanceTypes } from '../../lib/core/catalogue/instances.ts';

test('needs no setting at all', () => {
  expect(readSettings({})).toEqual({
    name: 'Proxytune',
    environment: 'development',
    target: 'account',
    models: 'full',
    heartbeatSeconds: 900,
    retrySeconds: 300,
    logRetentionDays: 30,
    instanceTypes: instanceTypes(),
    removeData: false,
  });
});

test('takes tiny models where nothing has a GPU, unless told otherwise', () => {
  expect(readSettings({ target: 'local' }).models).toBe('tiny');
  expect(readSettings({ target: 'local', models: 'full' }).models).toBe('full');
});

test('reads what the command line can only give as text', () => {
  const settings = readSettings({
    heartbeatSeconds: '20',
    removeData: 'true',
    instanceTypes: 'ml.g5.xlarge, ml.m5.large',
  });
  expect(settings).toMatchObject({
    heartbeatSeconds: 20,
    removeData: true,
    instanceTypes: ['ml.g5.xlarge', 'ml.m5.large'],
  });
});

test('leaves the CDK’s own keys alone', () => {
  expect(() =>
    readSettings({ '@aws-cdk/core:checkSecretUsage': true, 'aws:cdk:bundling-stacks': [] }),
  ).not.toThrow();
});

test('names the nearest setting for one that is not known', () => {
  expect(() => readSettings({ enviroment: 'production' })).toThrow(
    'enviroment is not known, did you mean environment?',
  );
});

test('lists every wrong setting at once, with what was given', () => {
  const wrong = () => readSettings({ environment: 'staging', heartbeatSeconds: '0', logRetentionDays: '31' });
  expect(wrong).toThrow('environment="staging"');
  expect(wrong).toThrow('heartbeatSeconds="0"');
  expect(wrong).toThrow('logRetentionDays="31": one of 1, 3, 5');
});

test('refuses an instance type that the catalogue lacks', () => {
  expect(() => readSettings({ instanceTypes: 'ml.g5.xlarge,ml.p99.huge' })).toThrow('instanceTypes=');
});
