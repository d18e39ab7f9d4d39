import type { Json, JsonObject } from '../json.ts';

/** A number, or a JSONata expression that gives one. */
export type NumberField = number | string;

/** A set of states with its first one: a whole machine, a Parallel branch, or a Map's processor. */
export interface Block {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}

/** A definition that has passed every check of `definition/validate.ts`. */
export interface Machine extends Block {
  readonly TimeoutSeconds?: number;
}

/** How a state that goes on says where: exactly one of the two is there. */
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

interface Guarded {
  readonly Retry?: readonly Retrier[];
  readonly Catch?: readonly Catcher[];
}

export interface TaskState extends Transition, Shaping, Guarded {
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

export interface ParallelState extends Transition, Shaping, Guarded {
  readonly Type: 'Parallel';
  readonly Branches: readonly Block[];
  readonly Arguments?: Json;
}

export interface MapState extends Transition, Shaping, Guarded {
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

/** The states that can be retried and caught. */
export type GuardedState = TaskState | ParallelState | MapState;
export type State = GuardedState | PassState | WaitState | ChoiceState | SucceedState | FailState;

/** What a Task's Resource asks for; the two integrations this service has. */
export function waitsForToken(resource: string): boolean {
  return resource.endsWith('.waitForTaskToken');
}
