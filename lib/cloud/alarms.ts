/** Alarms that notify the topic. Each is about five minutes, and over when they pass: the next one notifies again. */

import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  type MetricOptions,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Duration } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { TopicAccess } from './data-access.ts';

/** How the metric of an alarm is counted. */
export const COUNTED: MetricOptions = { period: Duration.minutes(5), statistic: Stats.SUM };

export interface OccurrenceAlarmProps {
  /** Must be counted as `COUNTED`. */
  readonly metric: IMetric;
  /** The text of the notification. */
  readonly description: string;
  readonly topic: TopicAccess;
}

/** Notifies when something happened at all. */
export class OccurrenceAlarm extends Construct {
  constructor(scope: Construct, id: string, { metric, description, topic }: OccurrenceAlarmProps) {
    super(scope, id);
    const alarm = new Alarm(this, 'Resource', {
      alarmDescription: description,
      metric,
      threshold: 0,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 1,
      // These metrics have no data while nothing happens.
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(topic.topic));
  }
}

export interface RunAlarmsProps {
  readonly machine: IStateMachine;
  readonly topic: TopicAccess;
}

/** Notifies when runs fail, whoever asked for them, and when one is ended by its time limit. */
export class RunAlarms extends Construct {
  constructor(scope: Construct, id: string, { machine, topic }: RunAlarmsProps) {
    super(scope, id);
    new OccurrenceAlarm(this, 'Failed', {
      metric: machine.metricFailed(COUNTED),
      description: 'Proxytune: a run failed; its execution and `proxytune status` say why',
      topic,
    });
    new OccurrenceAlarm(this, 'TimedOut', {
      metric: machine.metricTimedOut(COUNTED),
      description: 'Proxytune: a run reached its time limit; check that none of its jobs is still running',
      topic,
    });
  }
}
