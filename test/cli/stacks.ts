/** A stack in the emulator with the outputs of ours, as the command line finds one in an account. */
import {
  CloudFormationClient,
  type CloudFormationClientConfig,
  CreateStackCommand,
  waitUntilStackCreateComplete,
} from '@aws-sdk/client-cloudformation';

export async function createStack(
  access: CloudFormationClientConfig,
  StackName: string,
  outputs: Readonly<Record<string, string>>,
): Promise<void> {
  const Outputs = Object.fromEntries(Object.entries(outputs).map(([name, Value]) => [name, { Value }]));
  const Resources = {
    P: { Type: 'AWS::SSM::Parameter', Properties: { Name: StackName, Type: 'String', Value: 'v' } },
  };
  const client = new CloudFormationClient(access);
  const TemplateBody = JSON.stringify({ Resources, Outputs });
  await client.send(new CreateStackCommand({ StackName, TemplateBody }));
  await waitUntilStackCreateComplete({ client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { StackName });
  client.destroy();
}
