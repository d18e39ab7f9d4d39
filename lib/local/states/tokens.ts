import { randomBytes } from 'node:crypto';
import { ApiError, type StateError } from './errors.ts';
import { type Json, parseJson } from './json.ts';

/** A task that waits for its callback. */
export interface WaitingTask {
  succeed(output: Json): void;
  fail(error: StateError): void;
  /** Restarts the heartbeat period. */
  beat(): void;
}

/** Task tokens: issued to waiting tasks, completed through the API, invalid once the attempt has ended. */
export class TaskTokens {
  readonly #waiting = new Map<string, WaitingTask>();
  readonly #executionExists: (executionArn: string) => boolean;

  constructor(executionExists: (executionArn: string) => boolean) {
    this.#executionExists = executionExists;
  }

  /**
   * Issues a new token. It contains the execution's ARN, so that a late callback can be distinguished from an invalid
   * one without storing every token, even after a restart.
   */
  issue(executionArn: string): string {
    return Buffer.from(JSON.stringify([executionArn, randomBytes(24).toString('base64url')])).toString(
      'base64url',
    );
  }

  open(token: string, task: WaitingTask): void {
    this.#waiting.set(token, task);
  }

  close(token: string): void {
    this.#waiting.delete(token);
  }

  /**
   * Finds the task that waits for a token.
   * @throws ApiError InvalidToken if it is not a token, TaskDoesNotExist if its execution is unknown,
   *   TaskTimedOut if its attempt has ended
   */
  find(token: string): WaitingTask {
    const task = this.#waiting.get(token);
    if (task) return task;
    const executionArn = executionOfToken(token);
    if (executionArn === undefined)
      throw new ApiError('InvalidToken', 'Invalid Token: this is not a task token');
    if (!this.#executionExists(executionArn))
      throw new ApiError('TaskDoesNotExist', `Task does not exist: unknown execution ${executionArn}`);
    throw new ApiError(
      'TaskTimedOut',
      'Task Timed Out: the token has expired, or its task has already been closed',
    );
  }
}

/** The execution's ARN in a token; undefined if it is not a token. */
export function executionOfToken(token: string): string | undefined {
  const parts = parseJson(Buffer.from(token, 'base64url').toString('utf8'));
  const valid = Array.isArray(parts) && parts.length === 2 && parts.every((part) => typeof part === 'string');
  return valid ? (parts[0] as string) : undefined;
}
