/** E-mail through the topic of the stack, to the addresses that runs name. */
import { PublishCommand, type SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import type { Mail } from '../core/jobs/messages.ts';
import type { RunStatus } from '../core/jobs/records.ts';

export interface NotificationsContext {
  readonly sns: SNSClient;
  readonly topic: string;
}

/** Publishes the end of a run. @param run - with the address that its request names, if it names one */
export async function publishEnd(
  { sns, topic }: NotificationsContext,
  run: { readonly runId: string; readonly status: RunStatus; readonly notify?: string | undefined },
  mail: Mail,
): Promise<void> {
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
 * Subscribes an address to its own runs only; SNS asks it to confirm once, and remembers it from then on. An address
 * that is subscribed otherwise, for example to all runs, stays as it is.
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
    // Same endpoint, other attributes: SNS has no other name for it (localstack/localstack#8816).
    if (/already exists/i.test((error as Error).message)) return undefined;
    return mailWarning(`${address} could not be subscribed`, error);
  }
}

/** A warning for the record of a run whose mail failed. */
export function mailWarning(what: string, error: unknown): string {
  const { name, message } = error as Error;
  return `${what}, so no mail may arrive: ${name}: ${message} The run is not affected.`;
}
