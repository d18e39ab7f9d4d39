import type { Json, JsonObject } from '../json.ts';

/** A number, or a JSONata expression that returns one. */
export type NumberField = number | string;

/** A set of states and the first of them: a machine, a Parallel branch, or a Map's processor. */
export interface Block {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}

/** A definition that has passed the checks of `definition/validate.ts`. */
export interface Machine extends Block {
  readonly TimeoutSeconds?: number;
}

/** The transition of a state: exactly one of the two. */
interface Transition {
  readonly Next?: string;
  readonly End?: boolean;
}

interface Shaping {
  readonly Assign?: JsonObject;
  readonly Output?: Json;
}

export interface Retrier {
  readonly ErrorEquals: readonly string[];
  readonly IntervalSeconds?: number;
  readonly BackoffRate?: number;
  readonly MaxAttempts?: number;
  readonly MaxDelaySeconds?: number;
  readonly JitterStrategy?: 'FULL' | 'NONE';
}

export interface Catcher extends Shaping {
  readonly ErrorEquals: readonly string[];
  readonly Next: string;
}

interface Retryable {
  readonly Retry?: readonly Retrier[];
  readonly Catch?: readonly Catcher[];
}

export interface TaskState extends Transition, Shaping, Retryable {
  readonly Type: 'Task';
  readonly Resource: string;
  readonly Arguments: Json;
  readonly TimeoutSeconds?: NumberField;
  readonly HeartbeatSeconds?: NumberField;
}

export interface PassState extends Transition, Shaping {
  readonly Type: 'Pass';
}

export interface WaitState extends Transition, Shaping {
  readonly Type: 'Wait';
  readonly Seconds?: NumberField;
  readonly Timestamp?: string;
}

export interface ChoiceRule extends Shaping {
  readonly Condition: boolean | string;
  readonly Next: string;
}

export interface ChoiceState extends Shaping {
  readonly Type: 'Choice';
  readonly Choices: readonly ChoiceRule[];
  readonly Default?: string;
}

export interface ParallelState extends Transition, Shaping, Retryable {
  readonly Type: 'Parallel';
  readonly Branches: readonly Block[];
  readonly Arguments?: Json;
}

export interface MapState extends Transition, Shaping, Retryable {
  readonly Type: 'Map';
  readonly ItemProcessor: Block;
  readonly Items?: Json;
  readonly ItemSelector?: Json;
  readonly MaxConcurrency?: NumberField;
}

export interface SucceedState {
  readonly Type: 'Succeed';
  readonly Output?: Json;
}

export interface FailState {
  readonly Type: 'Fail';
  readonly Error?: string;
  readonly Cause?: string;
}

/** The states with Retry and Catch. */
export type RetryableState = TaskState | ParallelState | MapState;
export type State = RetryableState | PassState | WaitState | ChoiceState | SucceedState | FailState;

/** Distinguishes the two integrations that this service supports by a Task's Resource. */
export function waitsForToken(resource: string): boolean {
  return resource.endsWith('.waitForTaskToken');
}
