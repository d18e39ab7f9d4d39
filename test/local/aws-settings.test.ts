/** The user's AWS settings stay out of the local cloud. */
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { forgetAwsSettings } from '../../lib/local/aws-settings.ts';

test('every AWS setting goes, the rest stays', () => {
  const environment: NodeJS.ProcessEnv = { AWS_PROFILE: 'work', AWS_ACCESS_KEY_ID: 'AKIA', PATH: '/bin' };
  forgetAwsSettings(environment);
  expect(environment).toEqual({
    PATH: '/bin',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  });
});

test('a wish for FIPS endpoints, which the SDK will not combine with ours, is forgotten', async () => {
  const ask = () =>
    new S3Client({
      endpoint: 'http://127.0.0.1:9',
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      maxAttempts: 1,
    }).send(new ListBucketsCommand({}));
  process.env.AWS_USE_FIPS_ENDPOINT = 'true';
  await expect(ask()).rejects.toThrow('FIPS');
  forgetAwsSettings(process.env);
  await expect(ask()).rejects.toThrow('ECONNREFUSED');
});
