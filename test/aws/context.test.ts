/** The context of an account: what is missing is reported before anything is asked of a run. */
import { stackContext } from '../../lib/aws/context.ts';
import { clearAwsSettings } from '../../lib/local/aws-settings.ts';

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
