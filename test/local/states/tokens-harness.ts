/** A service with functions that start jobs and note their tokens; for tests of tasks that wait for a token. */
import {
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
} from '@aws-sdk/client-sfn';
import { Harness, named, until } from './harness.ts';
import { waiting } from './shapes.ts';

export class TokensHarness extends Harness {
  /** Tokens in the order in which the functions received them. */
  readonly tokens: string[] = [];

  constructor() {
    super();
    this.functions['start-job'] = ({ token }) => {
      this.tokens.push(token);
      return { started: true };
    };
    this.functions.broken = ({ token }) => {
      this.tokens.push(token);
      throw named('ResourceLimitExceeded', 'no GPU today');
    };
  }

  /** Waits until so many tokens were received. */
  started(count: number): Promise<void> {
    return until(() => this.tokens.length === count);
  }

  succeed(taskToken: string | undefined, output: unknown): Promise<unknown> {
    return this.sfn.send(new SendTaskSuccessCommand({ taskToken, output: JSON.stringify(output) }));
  }

  fail(taskToken: string | undefined, error?: string, cause?: string): Promise<unknown> {
    return this.sfn.send(new SendTaskFailureCommand({ taskToken, error, cause }));
  }

  beat(taskToken: string | undefined): Promise<unknown> {
    return this.sfn.send(new SendTaskHeartbeatCommand({ taskToken }));
  }
}

/** A task that calls a function with its token and waits for it. */
export const job = (more: Record<string, unknown> = {}, starter = 'start-job'): Record<string, unknown> => ({
  Teach: waiting({
    Arguments: { FunctionName: starter, Payload: { token: '{% $states.context.Task.Token %}' } },
    ...more,
  }),
});
