/** A shell can evaluate what `proxytune local` prints. */
import { execFileSync } from 'node:child_process';
import { environmentOf, localLines } from '../../lib/cli/commands/local.ts';
import { synthesize } from '../cloud/synthesize.ts';

const { Outputs = {} } = synthesize({ target: 'local' }).template;
const cloud = {
  environment: { AWS_ENDPOINT_URL: 'http://127.0.0.1:4566', AWS_REGION: 'us-east-1' },
  // Every output of the real stack, with the tricky signs that real values have.
  outputs: Object.fromEntries(
    Object.keys(Outputs).map((key) => [
      key,
      /Command$/.test(key) ? `aws ${key} --x YOU@EXAMPLE.COM` : `arn:${key}/a`,
    ]),
  ),
};

test('a shell that takes the printed lines knows endpoint, region, bucket, role and image', () => {
  const pasted = localLines(cloud).filter((line) => /^(export |#)/.test(line));
  const names = [
    'AWS_ENDPOINT_URL',
    'AWS_REGION',
    'PROXYTUNE_BUCKET',
    'PROXYTUNE_JOB_ROLE_ARN',
    'PROXYTUNE_IMAGE_URI',
  ];
  const script = [...pasted, ...names.map((name) => `echo "$${name}"`)].join('\n');
  const printed = execFileSync('sh', ['-eu', '-c', script], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  expect(printed.trim().split('\n')).toEqual([
    'http://127.0.0.1:4566',
    'us-east-1',
    'arn:BucketName/a',
    'arn:JobRoleArn/a',
    'arn:ImageUri/a',
  ]);
});

test('no variable is empty: each stands for an output that the stack really has', () => {
  expect(Object.entries(environmentOf(cloud)).filter(([, value]) => value === '')).toEqual([]);
});

test('the lines for people are there too', () => {
  expect(localLines(cloud)).toContain('# UploadPhotosCommand: aws UploadPhotosCommand --x YOU@EXAMPLE.COM');
});
