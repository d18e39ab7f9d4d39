/** The SNS topic that notifies users when their runs end. */

import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { RemovalPolicy, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';

export interface NotificationsProps {
  /** Keep the topic, with its subscriptions, when the stack is deleted. @default - delete it with the stack */
  readonly retain?: boolean;
}

export class Notifications extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, { retain = false }: NotificationsProps = {}) {
    super(scope, id);
    this.topic = new Topic(this, 'Resource', { displayName: 'Proxytune', enforceSSL: true });
    this.topic.applyRemovalPolicy(retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY);
    // A topic with its own policy no longer lets alarms publish by default.
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'Alarms',
        actions: ['sns:Publish'],
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
  }
}
