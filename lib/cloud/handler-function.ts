/** A lambda with its own role and log group. */

import { type IGrantable, type IPrincipal, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Code,
  type IDestination,
  type IFunction,
  Function as Lambda,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { type Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { LambdaName } from './lambda-names.ts';
import { allow } from './permissions.ts';
import type { Settings } from './settings.ts';

/** Properties that all lambdas of a stack share. */
export interface HandlerDefaults {
  /** The bundle of each lambda. */
  readonly folders: Readonly<Record<LambdaName, string>>;
  readonly logRetention: RetentionDays;
  readonly logRemoval: RemovalPolicy;
}

/** The log of every lambda and of the state machine, as the settings ask for it. */
export function logSettings({
  environment,
  logRetentionDays,
}: Settings): Pick<HandlerDefaults, 'logRetention' | 'logRemoval'> {
  const kept = environment === 'production';
  return { logRetention: logRetentionDays, logRemoval: kept ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY };
}

export interface HandlerFunctionProps extends HandlerDefaults {
  readonly name: LambdaName;
  readonly description: string;
  readonly timeout: Duration;
  readonly memoryMiB: number;
  readonly environment: Readonly<Record<string, string>>;
  /** The queue for events that failed three times. @default - the lambda is not called by events */
  readonly failures?: IQueue;
}

/** Grants go to its role, which by itself may only write the lambda's log. */
export class HandlerFunction extends Construct implements IGrantable {
  readonly lambda: Lambda;
  readonly grantPrincipal: IPrincipal;
  /** The time after which an invocation is ended. */
  readonly timeout: Duration;

  constructor(scope: Construct, id: string, props: HandlerFunctionProps) {
    super(scope, id);
    this.timeout = props.timeout;
    const logGroup = new LogGroup(this, 'Logs', {
      retention: props.logRetention,
      removalPolicy: props.logRemoval,
    });
    const role = new Role(this, 'Role', {
      description: `Proxytune: permissions of the lambda ${props.name}`,
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    });
    // Instead of AWSLambdaBasicExecutionRole, which may write to every log group in the account.
    logGroup.grantWrite(role);
    this.grantPrincipal = role;
    this.lambda = new Lambda(this, 'Resource', {
      description: `Proxytune: ${props.description}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.X86_64,
      code: Code.fromAsset(props.folders[props.name]),
      handler: 'index.handler',
      timeout: props.timeout,
      memorySize: props.memoryMiB,
      environment: props.environment,
      role,
      logGroup,
      // Kept by the next deployments: executions that began before one still invoke the version of theirs.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN },
      ...(props.failures === undefined ? {} : { onFailure: failuresTo(props.failures), retryAttempts: 2 }),
    });
  }

  /**
   * The version of this deployment, for the state machine: code and settings of a version never change, so a deployment
   * changes nothing for the executions that are going on. Who may invoke it may invoke every version, because the
   * machine has one role for all executions.
   */
  get publishedVersion(): IFunction {
    return Object.defineProperty(this.lambda.currentVersion, 'resourceArnsForGrantInvoke', {
      value: [`${this.lambda.functionArn}:*`],
      configurable: true,
    }) as IFunction;
  }
}

/** Lambda only sends to the queue. CDK's own destination also lets the role look it up by name and read its settings. */
function failuresTo(queue: IQueue): IDestination {
  return {
    bind: (_, { role }) => {
      if (role !== undefined)
        allow({ grantPrincipal: role }, { actions: ['sqs:SendMessage'], resources: [queue.queueArn] });
      return { destination: queue.queueArn };
    },
  };
}
