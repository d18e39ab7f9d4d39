/** The SageMaker jobs and models of the stack, which its lambdas start, look up and stop: by name, so none of others. */

import type { IGrantable, IRole } from 'aws-cdk-lib/aws-iam';
import { Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { instance } from '../core/catalogue/instances.ts';
import { jobPrefix } from '../core/names.ts';
import { STAGE_TIMEOUT } from './limits.ts';
import { allow } from './permissions.ts';

const WILDCARDS = 'The `*` is the run, stage and attempt; only names with the prefix of this stack match.';

export interface GrantCreateOptions {
  /** The role of the jobs. */
  readonly role: IRole;
  /** The only instance types that may be started, regardless of the request. */
  readonly instanceTypes: readonly string[];
}

export class OwnJobs {
  readonly #training: string;
  readonly #transform: string;
  readonly #model: string;

  /** @param scope - anything in the stack that runs the jobs */
  constructor(scope: Construct) {
    const stack = Stack.of(scope);
    const pattern = (resource: string): string =>
      stack.formatArn({ service: 'sagemaker', resource, resourceName: `${jobPrefix(stack.stackName)}*` });
    this.#training = pattern('training-job');
    this.#transform = pattern('transform-job');
    this.#model = pattern('model');
  }

  /** Allows creating jobs, limited by instance type, run time and network, so a bug cannot start something expensive. */
  grantCreate(grantee: IGrantable, { role, instanceTypes }: GrantCreateOptions): void {
    // ForAllValues is also true of a request without any instance type, hence the second condition.
    const offered = (kind: 'training' | 'transform') => ({
      'ForAllValues:StringEquals': {
        'sagemaker:InstanceTypes': instanceTypes.filter((type) => instance(type)[kind]),
      },
      Null: { 'sagemaker:InstanceTypes': 'false' },
    });
    this.#allow(grantee, ['CreateTrainingJob'], [this.#training], {
      ...offered('training'),
      NumericLessThanEquals: { 'sagemaker:MaxRuntimeInSeconds': STAGE_TIMEOUT.toSeconds() },
      // Code that trains on users' photos must not be able to send them anywhere.
      Bool: { 'sagemaker:NetworkIsolation': 'true' },
    });
    this.#allow(grantee, ['CreateTransformJob'], [this.#transform, this.#model], offered('transform'));
    this.#allow(grantee, ['CreateModel'], [this.#model]);
    // Required when a Create call has tags.
    this.#allow(grantee, ['AddTags'], [this.#training, this.#transform, this.#model]);
    allow(grantee, {
      actions: ['iam:PassRole'],
      resources: [role.roleArn],
      conditions: { StringEquals: { 'iam:PassedToService': 'sagemaker.amazonaws.com' } },
    });
  }

  grantDescribe(grantee: IGrantable): void {
    this.#allow(grantee, ['DescribeTrainingJob'], [this.#training]);
    this.#allow(grantee, ['DescribeTransformJob'], [this.#transform]);
  }

  grantDescribeModels(grantee: IGrantable): void {
    this.#allow(grantee, ['DescribeModel'], [this.#model]);
  }

  grantStop(grantee: IGrantable): void {
    this.#allow(grantee, ['StopTrainingJob'], [this.#training]);
    this.grantStopTransforms(grantee);
  }

  /** Allows listing the jobs of the account: only their names tell which are the stack's. */
  grantList(grantee: IGrantable): void {
    allow(grantee, {
      actions: ['sagemaker:ListTrainingJobs', 'sagemaker:ListTransformJobs'],
      resources: ['*'],
      wildcards: 'The jobs of an account are listed as a whole; these actions have no resource types.',
    });
  }

  grantStopTransforms(grantee: IGrantable): void {
    this.#allow(grantee, ['StopTransformJob'], [this.#transform]);
  }

  grantDeleteModels(grantee: IGrantable): void {
    this.#allow(grantee, ['DeleteModel'], [this.#model]);
  }

  #allow(
    grantee: IGrantable,
    actions: readonly string[],
    resources: readonly string[],
    conditions: Readonly<Record<string, Record<string, unknown>>> = {},
  ): void {
    allow(grantee, {
      actions: actions.map((action) => `sagemaker:${action}`),
      resources,
      conditions,
      wildcards: WILDCARDS,
    });
  }
}
