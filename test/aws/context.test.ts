/** The context of an account: what is missing is reported before anything is asked of a run. */
import { stackContext } from '../../lib/aws/context.ts';
import { requireSupportedRegion } from '../../lib/core/catalogue/regions.ts';
import { clearAwsSettings } from '../../lib/local/aws-settings.ts';

test.each([
  ['cn-north-1', 'aws-cn'],
  ['us-gov-east-1', 'aws-us-gov'],
  ['us-isob-east-1', 'aws-iso-b'],
  ['eusc-de-east-1', 'aws-eusc'],
])('a stack in %s is refused in words, before anything is sent', async (region, partition) => {
  const before = process.env.AWS_REGION;
  process.env.AWS_REGION = region;
  try {
    await expect(stackContext('Proxytune')).rejects.toMatchObject({
      name: 'UsageInvalid',
      message: expect.stringMatching(
        `partition ${partition}, which Proxytune does not support.*set AWS_REGION`,
      ),
    });
  } finally {
    if (before === undefined) delete process.env.AWS_REGION;
    else process.env.AWS_REGION = before;
  }
});

test('the regions of the partition aws are not refused', () => {
  for (const region of ['us-east-1', 'eu-central-2', 'ap-southeast-7', 'il-central-1', 'us-west-2', '']) {
    expect(() => requireSupportedRegion(region)).not.toThrow();
  }
});

test('without any AWS settings the error names the stack and the remedy', async () => {
  const before = { ...process.env };
  clearAwsSettings(process.env);
  try {
    await expect(stackContext('Proxytune')).rejects.toMatchObject({
      name: 'UsageInvalid',
      message: expect.stringMatching(/stack Proxytune.*[Rr]egion.*What to do: sign in to AWS/s),
    });
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
});
