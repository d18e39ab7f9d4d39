/** The message at the end of a run: by mail, in the table and on the command line. */
import { isErrorName, ProxytuneError } from '../errors.ts';
import type { JobKind } from '../words.ts';

export interface RunError {
  /** Name of the error, as the state machine caught it. */
  readonly error: string;
  /** The event, its reason and the next step, in plain words. */
  readonly message: string;
}

/**
 * The state machine's `{Error, Cause}` in plain words. The cause is a sentence of ours, or Lambda's JSON with the
 * sentence in `errorMessage`.
 */
export function readCause(error: { Error?: string | undefined; Cause?: string | undefined }): RunError {
  const name = error.Error ?? 'States.Unknown';
  const cause = error.Cause ?? '';
  const lambda = parsed(cause);
  const text = typeof lambda?.errorMessage === 'string' ? lambda.errorMessage : cause;
  const type = typeof lambda?.errorType === 'string' && !isErrorName(name) ? lambda.errorType : name;
  // A cause that went through here before has its remedy already.
  if (isErrorName(type) || text.includes('What to do:')) return { error: type, message: text };
  if (OF_THE_SERVICE.test(type)) {
    const message = `${text || 'The state machine gave no cause.'} What to do: ${SERVICE_REMEDY}`;
    return { error: type, message };
  }
  // What a lambda did not foresee: AWS that refuses it a call, or a mistake of ours.
  return {
    error: 'StepFailed',
    message: `${type}: ${text || 'it gave no cause.'} What to do: ${LAMBDA_REMEDY}`,
  };
}

/** Names that Step Functions gives itself. */
const OF_THE_SERVICE = /^States\./;
const SERVICE_REMEDY =
  'look at the execution in the Step Functions console, then upload subject.json again once the cause is gone.';
const LAMBDA_REMEDY =
  'look at the log of the lambda that failed, and whether the stack is deployed whole, then upload subject.json again.';

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A failed job's own message, with the place of its log and a remedy when it names none.
 * @param then - what to do once the log was read
 */
export function jobMessage(
  job: { jobName: string; kind: JobKind },
  message: string,
  then = 'upload subject.json again',
): string {
  const group = job.kind === 'training' ? 'TrainingJobs' : 'TransformJobs';
  const remedy = message.includes('What to do:')
    ? ''
    : ` What to do: read the log (/aws/sagemaker/${group}, ${job.jobName}), then ${then}.`;
  return `${message.trim()}${remedy} (job ${job.jobName})`;
}

export interface Mail {
  /** Fewer than 100 characters, no line breaks or control characters, as SNS demands. */
  readonly subject: string;
  readonly text: string;
}

/** The bill of a run up to its failure. */
export interface FailedBill {
  readonly usd: number;
  /** True if jobs were stopped at the end and SageMaker has not billed them yet. */
  readonly open: boolean;
}

export function failureMail(
  run: { runId: string; subject: string; bill: FailedBill },
  failure: RunError,
): Mail {
  const { usd, open } = run.bill;
  const yet = open
    ? ', without the jobs that were stopped just now; the table has their part in a few minutes'
    : '';
  return {
    subject: oneLine(`Proxytune: ${nameOf(run)} failed (${failure.error})`),
    text: [
      `The run ${run.runId} for subject ${run.subject} ended without a result.`,
      '',
      `Why: ${failure.error}`,
      failure.message,
      '',
      'Nothing of it still runs. What was made so far is kept under its run in the bucket.',
      `Compute: ${usd.toFixed(2)} USD at list prices${yet}.`,
    ].join('\n'),
  };
}

export function successMail(run: {
  runId: string;
  subject: string;
  report: string;
  usd: number;
  verdict: string;
}): Mail {
  return {
    subject: oneLine(`Proxytune: ${nameOf(run)} is ready`),
    text: [
      `The run ${run.runId} for subject ${run.subject} is done.`,
      '',
      run.verdict,
      `Report: ${run.report}`,
      `Compute: ${run.usd.toFixed(2)} USD at list prices.`,
    ].join('\n'),
  };
}

/** Control characters, halves of characters, and those that change the direction of the text after them. */
const NOT_OF_A_LINE = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
/** SNS allows fewer than a hundred characters. */
const LONGEST_LINE = 99;

/** A subject that SNS accepts: without the characters that it refuses, and never cut inside one. */
function oneLine(text: string): string {
  const line = text
    .replace(/[\s\u0085]/g, ' ')
    .replace(NOT_OF_A_LINE, '')
    .replace(/ +/g, ' ')
    .trim();
  let cut = '';
  for (const character of line) {
    if (cut.length + character.length > LONGEST_LINE) break;
    cut += character;
  }
  return cut;
}

/** The name of a run's subject, or the run's own name if its folder has no readable one. */
function nameOf(run: { runId: string; subject: string }): string {
  return oneLine(run.subject) || run.runId;
}

/** The error of a stage whose job failed, to be thrown or sent to the state machine under its name. */
export function jobError(name: string, message: string): Error {
  const error = isErrorName(name)
    ? new ProxytuneError(name, { what: message, remedy: '' })
    : Object.assign(new Error(message), { name });
  // The message is a whole text already; the constructor's sentence would say "What to do" twice.
  error.message = message;
  return error;
}
