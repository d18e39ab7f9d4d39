/** The stacks of a deployment: `<name>-Data` holds what must not be lost, and `<name>` everything that computes. */
import { Tags } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { LambdaBundles } from './bundle-lambdas.ts';
import { DataStack } from './data-stack.ts';
import type { Settings } from './settings.ts';
import { ProxytuneStack } from './stack.ts';

export interface StacksProps {
  readonly settings: Settings;
  /** The lambda bundles, built for the settings' target. */
  readonly folders: LambdaBundles['folders'];
  /** The repository's root, for the container image's sources. */
  readonly root: string;
  /** Product version, stored in the run records. */
  readonly version: string;
}

export interface Stacks {
  readonly data: DataStack;
  readonly compute: ProxytuneStack;
}

/** Adds both stacks to an app. */
export function addStacks(scope: Construct, { settings, folders, root, version }: StacksProps): Stacks {
  const data = new DataStack(scope, `${settings.name}-Data`, { settings, folders, version });
  const compute = new ProxytuneStack(scope, settings.name, { settings, data, folders, root, version });
  for (const stack of [data, compute]) {
    Tags.of(stack).add('proxytune:stack', settings.name);
    Tags.of(stack).add('proxytune:environment', settings.environment);
  }
  return { data, compute };
}
