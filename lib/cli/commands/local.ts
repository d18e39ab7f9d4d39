/** `proxytune local`: the cloud alone, for any AWS SDK or command line, until Ctrl-C. */
import { once } from 'node:events';
import type { LocalCloud } from '../../local/cloud.ts';
import { ensureModels } from '../../local/models.ts';
import type { Output } from '../output.ts';
import { type CloudOptions, withLocalCloud } from '../session.ts';
import { stopRuns } from '../stop.ts';

/** Outputs that programs need, and the variables they are pasted as; the other outputs are lines for people. */
const VARIABLES: Readonly<Record<string, string>> = {
  BucketName: 'PROXYTUNE_BUCKET',
  TableName: 'PROXYTUNE_TABLE',
  StateMachineArn: 'PROXYTUNE_STATE_MACHINE_ARN',
  TopicArn: 'PROXYTUNE_TOPIC_ARN',
  JobRoleArn: 'PROXYTUNE_JOB_ROLE_ARN',
  ImageUri: 'PROXYTUNE_IMAGE_URI',
};

export async function localCommand(options: CloudOptions, output: Output): Promise<number> {
  return withLocalCloud(options, output, async ({ cloud, aws, signal }) => {
    await ensureModels(cloud, { signal });
    output.data({ environment: environmentOf(cloud), outputs: cloud.outputs });
    for (const line of localLines(cloud)) output.say(line);
    if (!signal.aborted) await once(signal, 'abort');
    for (const runId of await stopRuns(aws, () => true)) {
      output.say(
        `${runId} was running and has been stopped. To resume: npx proxytune run --local --resume ${runId}`,
      );
    }
    return 0;
  });
}

/** The environment variables for an AWS SDK or command line, and the names of the stack's resources. */
export function environmentOf({
  environment,
  outputs,
}: Pick<LocalCloud, 'environment' | 'outputs'>): Record<string, string> {
  const named = Object.entries(VARIABLES).map(([key, variable]) => [variable, outputs[key] ?? '']);
  return { ...environment, ...Object.fromEntries(named) };
}

/** The lines for people, which a shell can evaluate as they are. */
export function localLines(cloud: Pick<LocalCloud, 'environment' | 'outputs'>): string[] {
  const others = Object.entries(cloud.outputs).filter(([key]) => VARIABLES[key] === undefined);
  return [
    'The stack is deployed. Paste this into the shell that will use it:\n',
    ...Object.entries(environmentOf(cloud)).map(([name, value]) => `export ${name}=${value}`),
    '',
    ...others.map(([key, value]) => `# ${key}: ${value}`),
    '\nCtrl-C stops it and its runs; its data stays.',
  ];
}
