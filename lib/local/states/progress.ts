import type { Json, JsonObject } from './json.ts';

/** The history event with which a state began. */
export interface EnteredEvent {
  readonly id: number;
  /** The event before it. */
  readonly previous: number;
}

/** A state that has begun, or is the next to begin. */
export interface Position {
  readonly state: string;
  readonly input: Json;
  /** The scope's own variables at that time. */
  readonly variables: JsonObject;
  /** Absent before the state has begun. */
  readonly entered?: EnteredEvent;
}

/**
 * How far one scope of an execution has come: its top level, a branch or an iteration. The scope updates it, and it is
 * stored with the execution, so that a redrive can continue from the state that did not succeed.
 */
export interface Progress {
  /** Absent before the first state and after the last. */
  at?: Position;
  /** The branches or iterations inside this state. */
  branches?: Progress[];
  /** Present after the last state. */
  output?: Json;
}

/** Notes that a scope is at a state, which replaces everything known about the one before. */
export function moveTo(progress: Progress, at: Position): void {
  progress.at = at;
  delete progress.branches;
}

/** Notes that a scope has ended. */
export function finish(progress: Progress, output: Json): void {
  progress.output = output;
  delete progress.at;
  delete progress.branches;
}
