/** The stack that computes: lambdas, state machine, rules and roles. What must not be lost is in `data-stack.ts`. */
import { join } from 'node:path';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Duration, Fn, Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { imageRepository } from '../core/names.ts';
import { RunAlarms } from './alarms.ts';
import type { LambdaBundles } from './bundle-lambdas.ts';
import type { DataStack } from './data-stack.ts';
import { EventLambdas } from './event-lambdas.ts';
import { EventDeadLetterQueue, Events } from './events.ts';
import { logSettings } from './handler-function.ts';
import { imageSynthesizer } from './image-synthesizer.ts';
import { ImportRole } from './import-role.ts';
import { imageFrom, localImage } from './job-image.ts';
import { JobLogs } from './job-logs.ts';
import { JobRole } from './job-role.ts';
import { RunMachine } from './machine/run-machine.ts';
import { MachineLambdas } from './machine-lambdas.ts';
import { addOutputs } from './outputs.ts';
import type { Settings } from './settings.ts';
import { StopJobs } from './stop-jobs.ts';

export interface ProxytuneStackProps {
  readonly settings: Settings;
  readonly data: DataStack;
  /** The lambda bundles, built for the settings' target. */
  readonly folders: LambdaBundles['folders'];
  /** The repository's root, for the container image's sources. */
  readonly root: string;
  /** Product version, stored in the run records. */
  readonly version: string;
}

export class ProxytuneStack extends Stack {
  readonly machine: RunMachine;

  constructor(scope: Construct, id: string, { settings, data, folders, root, version }: ProxytuneStackProps) {
    const production = settings.environment === 'production';
    super(scope, id, {
      synthesizer: imageSynthesizer({ repositoryName: imageRepository(settings.name), stack: data }),
      description: `Proxytune ${version}: tunes autoregressive image models on a few photos`,
      terminationProtection: production,
      // No usage data leaves the account.
      analyticsReporting: false,
    });
    const logs = logSettings(settings);
    const { bucket, table, topic } = data.referFrom(this);
    const deadLetterQueue = new EventDeadLetterQueue(this, 'EventQueue', {
      topic,
      retain: production,
    }).queue;
    const image =
      settings.target === 'local'
        ? localImage(this, 'Image', imageRepository(settings.name))
        : imageFrom(this, 'Image', join(root, 'containers'));
    const jobs = new JobRole(this, 'JobRole', { bucket, image });
    const imports = new ImportRole(this, 'ImportRole', { bucket, image });

    const lambdas = new MachineLambdas(this, 'MachineLambdas', {
      ...logs,
      folders,
      bucket,
      table,
      topic,
      jobRole: jobs.role,
      image,
      instanceTypes: settings.instanceTypes,
      models: settings.models,
      photosWaitSeconds: settings.photosWaitSeconds,
      version,
      failures: deadLetterQueue,
    });
    this.machine = new RunMachine(this, 'Machine', {
      lambdas,
      heartbeat: Duration.seconds(settings.heartbeatSeconds),
      retryWait: Duration.seconds(settings.retrySeconds),
      logGroup: new LogGroup(this, 'MachineLogs', {
        // Groups with this prefix need no entry in the account's one policy for log delivery, whose 5,120 characters
        // some ten machines fill. The last part of the stack's id is unique, also after a kept group of the same name.
        logGroupName: `/aws/vendedlogs/states/${this.stackName}-${Fn.select(2, Fn.split('/', this.stackId))}`,
        retention: logs.logRetention,
        removalPolicy: logs.logRemoval,
      }),
    });
    const { machine } = this.machine;
    const { jobLogRetentionDays: days } = settings;
    if (days !== undefined) new JobLogs(this, 'JobLogs', { ...logs, folders, days });
    new RunAlarms(this, 'Alarms', { machine, topic });
    const eventLambdas = new EventLambdas(this, 'EventLambdas', {
      ...logs,
      folders,
      bucket,
      table,
      machine,
      failures: deadLetterQueue,
    });
    const { starting, ending } = new Events(this, 'Events', {
      bucket,
      machine,
      startRun: eventLambdas.startRun.lambda,
      withdrawRun: eventLambdas.withdrawRun.lambda,
      completeJob: eventLambdas.completeJob.lambda,
      endRun: lambdas.endRun.lambda,
      deadLetterQueue,
    });
    new StopJobs(this, 'Stopping', {
      ...logs,
      folders,
      machine,
      needed: [jobs, imports, this.machine, lambdas, eventLambdas.completeJob, ...ending],
      starting: [starting],
    });
    const roles = { jobRole: jobs.role, importRole: imports.role };
    addOutputs(this, { bucket, table, topic, machine, ...roles, imageUri: image.uri });
  }
}
