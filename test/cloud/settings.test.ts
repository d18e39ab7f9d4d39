import { readSettings } from '../../lib/cloud/settings.ts';
import { instanceTypes } from '../../lib/core/catalogue/instances.ts';

test('needs no setting', () => {
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

test('uses tiny models locally unless the settings say otherwise', () => {
  expect(readSettings({ target: 'local' }).models).toBe('tiny');
  expect(readSettings({ target: 'local', models: 'full' }).models).toBe('full');
});

test('parses text from the command line', () => {
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

test('ignores the CDK’s own keys', () => {
  expect(() =>
    readSettings({ '@aws-cdk/core:checkSecretUsage': true, 'aws:cdk:bundling-stacks': [] }),
  ).not.toThrow();
});

test('suggests the nearest setting for an unknown one', () => {
  expect(() => readSettings({ enviroment: 'production' })).toThrow(
    'unknown setting enviroment, did you mean environment?',
  );
});

test('lists every invalid setting with its value', () => {
  const wrong = () => readSettings({ environment: 'staging', heartbeatSeconds: '0', logRetentionDays: '31' });
  expect(wrong).toThrow('environment="staging"');
  expect(wrong).toThrow('heartbeatSeconds="0"');
  expect(wrong).toThrow('logRetentionDays="31": one of 1, 3, 5');
});

test('rejects an instance type that is not in the catalogue', () => {
  expect(() => readSettings({ instanceTypes: 'ml.g5.xlarge,ml.p99.huge' })).toThrow('instanceTypes=');
});
