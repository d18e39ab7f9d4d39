/** The CDK app: `npx cdk synth`, `npx cdk deploy`. Its settings are in lib/cloud/settings.ts. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { App } from 'aws-cdk-lib/core';
import { bundleLambdas } from '../lib/cloud/bundle-lambdas.ts';
import { acknowledgeFindings } from '../lib/cloud/nag-acknowledgements.ts';
import { readSettings } from '../lib/cloud/settings.ts';
import { ProxytuneStack } from '../lib/cloud/stack.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const app = new App();
const settings = readSettings(app.node.getAllContext());
const { folders } = bundleLambdas({ target: settings.target });
acknowledgeFindings(new ProxytuneStack(app, settings.name, { settings, folders, root, version }));
app.synth();
