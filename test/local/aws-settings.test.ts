/** The user's AWS settings are not used by the local cloud. */
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { clearAwsSettings } from '../../lib/local/aws-settings.ts';

test('removes every AWS setting and keeps the rest', () => {
  const environment: NodeJS.ProcessEnv = { AWS_PROFILE: 'work', AWS_ACCESS_KEY_ID: 'AKIA', PATH: '/bin' };
  clearAwsSettings(environment);
  expect(environment).toEqual({
    PATH: '/bin',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  });
});

test('removes the setting for FIPS endpoints, which the SDK does not combine with local ones', async () => {
  const send = () =>
    new S3Client({
      endpoint: 'http://127.0.0.1:9',
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      maxAttempts: 1,
    }).send(new ListBucketsCommand({}));
  process.env.AWS_USE_FIPS_ENDPOINT = 'true';
  await expect(send()).rejects.toThrow('FIPS');
  clearAwsSettings(process.env);
  await expect(send()).rejects.toThrow('ECONNREFUSED');
});
