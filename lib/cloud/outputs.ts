/** The outputs of the stack: names for programs, and commands to paste. */

import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { CfnOutput, type Stack } from 'aws-cdk-lib/core';
import { jobPrefix, tokenSecret } from '../core/names.ts';
import type { DataReferences } from './data-stack.ts';

export interface OutputsProps extends DataReferences {
  readonly machine: IStateMachine;
  readonly jobRole: IRole;
  readonly importRole: IRole;
  readonly imageUri: string;
}

/** Adds the outputs to the stack; their keys are part of the public interface. */
export function addOutputs(stack: Stack, props: OutputsProps): void {
  const { bucket, table, topic, machine, jobRole, importRole, imageUri } = props;
  const subject = `s3://${bucket.name}/subjects/my-dog`;
  const add = (key: string, value: string, description: string) =>
    new CfnOutput(stack, key, { key, value, description });
  add('BucketName', bucket.name, 'Photos in, reports out');
  add('TableName', table.name, 'Runs and their jobs');
  add('StateMachineArn', machine.stateMachineArn, 'Each run is an execution of this');
  add('TopicArn', topic.arn, 'Notifies when a run ends');
  add('JobRoleArn', jobRole.roleArn, 'The role of the SageMaker jobs');
  add('ImportRoleArn', importRole.roleArn, 'The role of the job that imports base models');
  add('JobPrefix', jobPrefix(stack.stackName), 'The names of all SageMaker jobs of this stack begin with it');
  add('TokenSecretName', tokenSecret(stack.stackName), 'The secret for the token of the model hub');
  add('ImageUri', imageUri, 'The container image of the SageMaker jobs');
  add(
    'UploadPhotosCommand',
    `aws s3 cp photos/ ${subject}/photos/ --recursive`,
    'Step 1: upload the photos of a subject',
  );
  add(
    'StartCommand',
    `aws s3 cp subject.json ${subject}/subject.json`,
    'Step 2: upload the request, which starts the run',
  );
  add(
    'WatchCommand',
    `aws stepfunctions list-executions --max-items 5 --state-machine-arn ${machine.stateMachineArn}`,
    'The latest runs',
  );
  add(
    'FetchReportCommand',
    `aws s3 cp s3://${bucket.name}/runs/RUN-ID/report/ report/ --recursive`,
    'The report of a run; open report/index.html',
  );
  add(
    'SubscribeCommand',
    `aws sns subscribe --topic-arn ${topic.arn} --protocol email --notification-endpoint YOU@EXAMPLE.COM`,
    'Get an email when a run ends',
  );
}
