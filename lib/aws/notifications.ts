/** E-mail through the topic of the stack, to the addresses that runs name. */
import { PublishCommand, type SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import type { Mail } from '../core/jobs/messages.ts';
import type { RunStatus } from '../core/jobs/records.ts';
import { type TableContext, updateRun } from './table.ts';

export interface NotificationsContext {
  readonly sns: SNSClient;
  readonly topic: string;
}

export interface RunEnd {
  readonly runId: string;
  readonly status: RunStatus;
  /** The address that its request names. @default - none */
  readonly notify?: string | undefined;
}

/**
 * Notifies of the end of a run, and records in the run that this was done, or a warning.
 * @returns the error if the end could not be published
 */
export async function announceEnd(
  context: NotificationsContext & TableContext,
  run: RunEnd,
  mail: Mail,
): Promise<Error | undefined> {
  try {
    await publishEnd(context, run, mail);
    await updateRun(context, run.runId, { reported: true });
    return undefined;
  } catch (error) {
    const warning = mailWarning('The end could not be published', error);
    await updateRun(context, run.runId, { warning });
    return error as Error;
  }
}

async function publishEnd({ sns, topic }: NotificationsContext, run: RunEnd, mail: Mail): Promise<void> {
  const text = (value: string) => ({ DataType: 'String', StringValue: value });
  await sns.send(
    new PublishCommand({
      TopicArn: topic,
      Subject: mail.subject,
      Message: mail.text,
      MessageAttributes: {
        run: text(run.runId),
        status: text(run.status),
        ...(run.notify === undefined ? {} : { notify: text(run.notify) }),
      },
    }),
  );
}

/**
 * Subscribes an address to its own runs only. SNS asks the address to confirm once. An address with another
 * subscription, for example to all runs, keeps that one.
 * @returns a warning when SNS refuses: no run fails because of its mail
 */
export async function subscribe(
  { sns, topic }: NotificationsContext,
  address: string,
): Promise<string | undefined> {
  try {
    await sns.send(
      new SubscribeCommand({
        TopicArn: topic,
        Protocol: 'email',
        Endpoint: address,
        Attributes: { FilterPolicy: JSON.stringify({ notify: [address] }) },
      }),
    );
    return undefined;
  } catch (error) {
    // The endpoint is subscribed with other attributes, for which SNS has no error name (localstack/localstack#8816).
    if (/already exists/i.test((error as Error).message)) return undefined;
    return mailWarning(`${address} could not be subscribed`, error);
  }
}

/** A warning for the record of a run whose mail failed. */
function mailWarning(what: string, error: unknown): string {
  const { name, message } = error as Error;
  return `${what}, so no mail may arrive: ${name}: ${message} The run is not affected.`;
}
