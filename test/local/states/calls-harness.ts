/** A service with one function, which notes its calls and fails on demand; for tests of redrives. */
import { RedriveExecutionCommand, type RedriveExecutionCommandOutput } from '@aws-sdk/client-sfn';
import { Harness, named } from './harness.ts';
import { task, waiting } from './shapes.ts';

export class CallsHarness extends Harness {
  /** The names with which the function was called, in order. */
  readonly calls: string[] = [];
  /** The names for which the function fails. */
  readonly broken = new Set<string>();
  readonly tokens: string[] = [];

  constructor() {
    super();
    this.functions.f = ({ name, token }) => {
      this.calls.push(name);
      if (token) this.tokens.push(token);
      if (this.broken.has(name)) throw named('Broken', name);
      return name;
    };
  }

  redrive(executionArn: string, clientToken?: string): Promise<RedriveExecutionCommandOutput> {
    return this.sfn.send(new RedriveExecutionCommand({ executionArn, clientToken }));
  }

  callsOf(name: string): number {
    return this.calls.filter((called) => called === name).length;
  }
}

/** A task that calls the function with its own name and returns what the function returns. */
export const work = (name: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  [name]: task({
    Arguments: { FunctionName: 'f', Payload: { name } },
    Output: '{% $states.result.Payload %}',
    ...more,
  }),
});

/** A task that calls the function with its own name and waits for its token. */
export const job = (name: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  [name]: waiting({
    Arguments: { FunctionName: 'f', Payload: { name, token: '{% $states.context.Task.Token %}' } },
    ...more,
  }),
});

export const next = (Next: string): Record<string, unknown> => ({ End: undefined, Next });
