import {
  EVENTS_PER_HEARTBEAT,
  MOST_EVENTS,
  PARALLEL_JOBS,
  RUN_TIMEOUT,
  SHORTEST_HEARTBEAT,
} from '../../lib/cloud/limits.ts';
import { readSettings } from '../../lib/cloud/settings.ts';
import { instanceTypes } from '../../lib/core/catalogue/instances.ts';

const read = (settings: Record<string, unknown>) => readSettings({ proxytune: settings });

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
    intermediatesDays: 30,
    photosWaitSeconds: 60,
  });
});

test('uses tiny models locally unless the settings say otherwise', () => {
  expect(read({ target: 'local' }).models).toBe('tiny');
  expect(read({ target: 'local', models: 'full' }).models).toBe('full');
});

test('parses text from the command line', () => {
  const settings = readSettings({
    'proxytune:heartbeatSeconds': '7200',
    'proxytune:removeData': 'true',
    'proxytune:instanceTypes': 'ml.g5.xlarge, ml.m5.large',
  });
  expect(settings).toMatchObject({
    heartbeatSeconds: 7200,
    removeData: true,
    instanceTypes: ['ml.g5.xlarge', 'ml.m5.large'],
  });
});

test('a key of the command line overrides the object in cdk.json, which may have others', () => {
  const settings = readSettings({
    proxytune: { environment: 'production', logRetentionDays: 7 },
    'proxytune:environment': 'development',
  });
  expect(settings).toMatchObject({ environment: 'development', logRetentionDays: 7 });
});

test('ignores what the CDK, its command line and other apps keep in the context', () => {
  const others = {
    '@aws-cdk/core:checkSecretUsage': true,
    'aws:cdk:bundling-stacks': [],
    // Written by `cdk acknowledge` and `cdk cli-telemetry`.
    'acknowledged-issue-numbers': [34892],
    'cli-telemetry': false,
    'availability-zones:account=123456789012:region=eu-west-1': ['eu-west-1a'],
    // From a ~/.cdk.json.
    stage: 'beta',
    'other-app:environment': 'staging',
  };
  expect(readSettings(others)).toEqual(readSettings({}));
});

test.each([
  ['environment', 'proxytune:environment'],
  ['enviroment', 'proxytune:environment'],
  ['heartbeatseconds', 'proxytune:heartbeatSeconds'],
  ['proxytune/target', 'proxytune:target'],
  ['Proxytune:target', 'proxytune:target'],
  ['proxytune.removeData', 'proxytune:removeData'],
])('refuses %s, which is a setting without its namespace', (key, meant) => {
  expect(() => readSettings({ [key]: 'production' })).toThrow(`unknown key ${key}, did you mean ${meant}?`);
});

test('suggests the nearest setting for an unknown one', () => {
  expect(() => readSettings({ 'proxytune:enviroment': 'production' })).toThrow(
    'unknown setting proxytune:enviroment, did you mean proxytune:environment?',
  );
  expect(() => read({ logs: 7 })).toThrow(/unknown setting proxytune:logs, did you mean proxytune:\w+\?/);
});

test('refuses anything but an object as settings', () => {
  expect(() => readSettings({ proxytune: 'production' })).toThrow(
    'proxytune="production". It is an object, such as {"environment": "production"}',
  );
});

test('lists every invalid setting with its value', () => {
  const wrong = () => read({ environment: 'staging', heartbeatSeconds: '0', logRetentionDays: '31' });
  expect(wrong).toThrow('proxytune:environment="staging"');
  expect(wrong).toThrow('proxytune:heartbeatSeconds="0"');
  expect(wrong).toThrow('proxytune:logRetentionDays="31": one of 1, 3, 5');
});

test('an adopted bucket is named without s3://, and never removed', () => {
  expect(read({ bucketName: 'proxytune-data-1' }).bucketName).toBe('proxytune-data-1');
  expect(() => read({ bucketName: 's3://proxytune-data-1' })).toThrow(
    'proxytune:bucketName="s3://proxytune-data-1": the name of a general purpose bucket, without s3://',
  );
  expect(() => read({ bucketName: 'proxytune-data-1', removeData: true })).toThrow(
    'proxytune:removeData=true: an adopted bucket is never deleted',
  );
});

const faultOf = (settings: Record<string, unknown>): string => {
  try {
    read(settings);
  } catch (error) {
    return (error as Error).message;
  }
  return 'no fault';
};

test.each([
  'a..b',
  'a.-b',
  'a-.b',
  '.ab',
  'ab-',
  'ab',
  'a'.repeat(64),
  'Upper',
  'under_score',
  '192.168.1.1',
  'xn--abc',
  'sthree-abc',
  'amzn-s3-demo-bucket',
  'abc-s3alias',
  'abc--ol-s3',
  'abc.mrap',
  'abc--x-s3',
  'abc--table-s3',
  '',
  1,
])('refuses %j as the name of a bucket, which S3 or the CDK would refuse', (bucketName) => {
  expect(faultOf({ bucketName })).toMatch(/^invalid settings: proxytune:bucketName=[^;]+\. The settings are/);
});

test.each(['abc', 'a'.repeat(63), '1.2.3', 'my.bucket-1', 'proxytune--data', '192.168.1.1.a'])(
  'allows %s as the name of a bucket',
  (bucketName) => {
    expect(read({ bucketName }).bucketName).toBe(bucketName);
  },
);

test('a table has a name that DynamoDB allows', () => {
  for (const tableName of ['Runs', 'a_b.c-d', 'a'.repeat(255)])
    expect(read({ tableName }).tableName).toBe(tableName);
  for (const tableName of ['...', '-_.', 'ab', 'a'.repeat(256), 'a b', 'arn:aws:x', ''])
    expect(faultOf({ tableName })).toContain('the name of a table: 3 to 255 letters');
});

test('a stack is not named like the data stack of another', () => {
  expect(faultOf({ name: 'Proxytune-Data' })).toContain(
    'proxytune:name="Proxytune-Data": a name that does not end in -Data',
  );
  expect(read({ name: 'Data' }).name).toBe('Data');
});

test.each([
  ...['heartbeatSeconds', 'retrySeconds', 'logRetentionDays', 'jobLogRetentionDays'].flatMap((name) =>
    ['', '0x400', '1e3', ' 900', '1.5', [1], true, null, {}].map((value) => [name, value] as const),
  ),
])('%s is a number or decimal digits, not %j, which is one fault', (name, value) => {
  expect(faultOf({ [name]: value })).toMatch(
    new RegExp(
      `^invalid settings: proxytune:${name}=[^;]+: (a whole number from|one of 1, 3)[^;]+\\. The settings`,
    ),
  );
});

test('rejects an instance type that is not in the catalogue', () => {
  expect(() => read({ instanceTypes: 'ml.g5.xlarge,ml.p99.huge' })).toThrow('instanceTypes=');
});

test('the longest run with both parallel jobs silent stays below the limit of its history', () => {
  const least = SHORTEST_HEARTBEAT.toSeconds();
  const eventsAt = (seconds: number) =>
    (RUN_TIMEOUT.toSeconds() / seconds) * EVENTS_PER_HEARTBEAT * PARALLEL_JOBS;
  expect(MOST_EVENTS - eventsAt(least)).toBeGreaterThan(2000);
  expect(MOST_EVENTS - eventsAt(least - 60)).toBeLessThan(2000);
  expect(least).toBe(720);
});

test('a heartbeat is at least that long in an account, and as short as a test needs locally', () => {
  expect(read({ heartbeatSeconds: 720 }).heartbeatSeconds).toBe(720);
  expect(() => read({ heartbeatSeconds: '719' })).toThrow(
    'proxytune:heartbeatSeconds="719": at least 720 in an account, where Step Functions ends a run at 25000 events',
  );
  expect(read({ heartbeatSeconds: 1, target: 'local' }).heartbeatSeconds).toBe(1);
});
