/**
 * Errors with names. A name is the same in TypeScript, in Python, in the state machine's `Catch` and in the
 * message that reaches the user; `contract/errors.json` lists them all and is exported to the containers.
 */
import catalogue from './contract/errors.json' with { type: 'json' };

export type ErrorName = keyof typeof catalogue;

export interface ErrorFacts {
  /** The event, in the user's terms. */
  readonly what: string;
  /** The value that caused it. @default - left out of the message */
  readonly given?: string | undefined;
  /** The values that are allowed. @default - left out of the message */
  readonly allowed?: string | undefined;
  /** The next step for the user. */
  readonly remedy: string;
  /** The error beneath this one. @default - none */
  readonly cause?: unknown;
}

/** An error that the user can understand and act on. Its `name` is what the state machine catches. */
export class ProxytuneError extends Error {
  readonly facts: ErrorFacts;

  constructor(name: ErrorName, facts: ErrorFacts) {
    super(sentence(facts), { cause: facts.cause });
    this.name = name;
    this.facts = facts;
  }
}

/** The facts as one message of at most four sentences. */
export function sentence(facts: ErrorFacts): string {
  return [
    stop(facts.what),
    facts.given === undefined ? '' : `Given: ${stop(facts.given)}`,
    facts.allowed === undefined ? '' : `Allowed: ${stop(facts.allowed)}`,
    `What to do: ${stop(facts.remedy)}`,
  ]
    .filter(Boolean)
    .join(' ');
}

function stop(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Tells the names of the catalogue from others. */
export function isErrorName(name: string): name is ErrorName {
  return Object.hasOwn(catalogue, name);
}

/** Exit code of the command line: 0 done, 1 failed, 2 usage, 3 refused before money was spent, 130 interrupted. */
export function exitCode(name: string): number {
  return isErrorName(name) ? catalogue[name].exit : 1;
}

/** Names of the errors after which the same stage may be tried again under a new attempt. */
export function retryableNames(): ErrorName[] {
  return errorNames().filter((name) => catalogue[name].retry);
}

export function errorNames(): ErrorName[] {
  return Object.keys(catalogue) as ErrorName[];
}

/** `ErrorName: rest` as a container writes it to its failure file; an unknown name becomes `JobFailed`. */
export function parseFailure(text: string): { name: ErrorName; message: string } {
  const named = [...text.matchAll(/\b([A-Z][A-Za-z]+): /g)].find((hit) => isErrorName(hit[1] ?? ''));
  if (named?.[1] !== undefined && isErrorName(named[1])) {
    return { name: named[1], message: text.slice((named.index ?? 0) + named[0].length) };
  }
  return { name: 'JobFailed', message: text.trim() };
}
