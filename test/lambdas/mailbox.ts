/** The topic of the lambdas' notices, with a queue behind it from which a test reads them. */
import { CreateTopicCommand, SubscribeCommand } from '@aws-sdk/client-sns';
import { sns } from '../../lib/aws/clients.ts';
import { awsJson, receivesFrom } from '../local/emulator/helpers.ts';

const QUEUE = 'notices';

export interface Notice {
  readonly subject: string;
  readonly text: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export class Mailbox {
  readonly topicArn: string;
  readonly #endpoint: string;
  readonly #queueUrl: string;
  readonly #received: Notice[] = [];

  private constructor(topicArn: string, endpoint: string, queueUrl: string) {
    this.topicArn = topicArn;
    this.#endpoint = endpoint;
    this.#queueUrl = queueUrl;
  }

  /** @param endpoint - of the emulator */
  static async open(endpoint: string): Promise<Mailbox> {
    const { TopicArn = '' } = await sns().send(new CreateTopicCommand({ Name: 'notices' }));
    const { QueueUrl } = await awsJson<{ QueueUrl: string }>(endpoint, 'AmazonSQS.CreateQueue', {
      QueueName: QUEUE,
      Attributes: receivesFrom('sns.amazonaws.com'),
    });
    const Endpoint = TopicArn.replace(/:sns:(.*):[^:]+$/, `:sqs:$1:${QUEUE}`);
    await sns().send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint }));
    return new Mailbox(TopicArn, endpoint, QueueUrl);
  }

  /** The notices about a run so far; those of other runs stay for their own tests. */
  async of(runId: string): Promise<Notice[]> {
    const request = { QueueUrl: this.#queueUrl, MaxNumberOfMessages: 10 };
    for (;;) {
      const { Messages = [] } = await awsJson<Received>(this.#endpoint, 'AmazonSQS.ReceiveMessage', request);
      this.#received.push(...Messages.map(({ Body }) => noticeOf(JSON.parse(Body))));
      if (Messages.length === 0) break;
    }
    return this.#received.filter(({ attributes }) => attributes.run === runId);
  }
}

interface Received {
  readonly Messages?: { Body: string }[];
}

interface Envelope {
  readonly Subject: string;
  readonly Message: string;
  readonly MessageAttributes?: Record<string, { Value: string }>;
}

function noticeOf({ Subject, Message, MessageAttributes = {} }: Envelope): Notice {
  const attributes = Object.entries(MessageAttributes).map(([name, { Value }]) => [name, Value]);
  return { subject: Subject, text: Message, attributes: Object.fromEntries(attributes) };
}
