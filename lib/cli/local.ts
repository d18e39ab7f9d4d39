/** `proxytune local`: the cloud alone, for any AWS SDK or command line, until Ctrl-C. */
import { once } from 'node:events';
import { ensureModels } from '../local/models.ts';
import type { Output } from './output.ts';
import { type CloudOptions, withLocalCloud } from './session.ts';

export async function localCommand(options: CloudOptions, output: Output): Promise<number> {
  return withLocalCloud(options, output, async ({ cloud, signal }) => {
    await ensureModels(cloud);
    output.data({ environment: cloud.environment, outputs: cloud.outputs });
    output.say('The stack is deployed. Paste this into the shell that is to use it:\n');
    for (const [name, value] of Object.entries(cloud.environment)) output.say(`export ${name}=${value}`);
    output.say('');
    for (const [name, value] of Object.entries(cloud.outputs)) output.say(`# ${name}: ${value}`);
    output.say('\nCtrl-C ends it; what is in it stays.');
    if (!signal.aborted) await once(signal, 'abort');
    return 0;
  });
}
