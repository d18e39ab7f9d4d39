/** The CDK app: `npx cdk synth`, `npx cdk deploy --all`. Its settings are in lib/cloud/settings.ts. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { App } from 'aws-cdk-lib/core';
import { bundleLambdas } from '../lib/cloud/bundle-lambdas.ts';
import { readSettings } from '../lib/cloud/settings.ts';
import { addStacks } from '../lib/cloud/stacks.ts';
import { requireSupportedRegion } from '../lib/core/catalogue/regions.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const app = new App();
const settings = settingsOf(app);
const { folders } = bundleLambdas({ target: settings.target });
addStacks(app, { settings, folders, root, version });
app.synth();

/** Reads the settings; what is wrong with them is the user's to fix, so it is reported without a stack trace. */
function settingsOf(scope: App) {
  try {
    // Set by the CDK's command line when the region is known; otherwise the stacks fit any region.
    requireSupportedRegion(process.env.CDK_DEFAULT_REGION ?? '');
    return readSettings(scope.node.getAllContext());
  } catch (error) {
    console.error((error as Error).message);
    return process.exit(1);
  }
}
