/**
 * A run of the synthesized machine on a clock that the test controls. The lambdas are scripted; the real ones have their
 * own tests and the end-to-end tests. One run at a time: the test ends it by `cloud.close()`.
 */

import {
  CreateStateMachineCommand,
  SendTaskFailureCommand,
  SendTaskSuccessCommand,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { STANDARD_STAGES } from '../../lib/core/words.ts';
import { type Functions, Harness, named, ROLE, until } from '../local/states/harness.ts';
import { definitionOf, synthesize } from './synthesize.ts';

const LAMBDAS = [
  'PlanRun',
  'InspectPhotos',
  'StartJob',
  'ReconcileJob',
  'DecideRound',
  'EndRun',
  'PublishRun',
] as const;
export type Lambda = (typeof LAMBDAS)[number];

export const definition = definitionOf(synthesize({ target: 'local' }).template);
export const INPUT = {
  runId: 'dog-1',
  bucket: 'b',
  subject: 'dog',
  key: 'subjects/dog/subject.json',
  version: 'v1',
};
export const PLANNED = {
  runId: 'dog-1',
  bucket: 'b',
  planKey: 'runs/dog-1/plan.json',
  photosPrefix: 'subjects/dog/photos/',
  referencesPrefix: 'intermediates/dog-1/references/',
  captions: { category: 'dog', tokenWord: 'ohwx', vocabulary: null },
  stages: STANDARD_STAGES,
};
export const PUBLISHED = { runId: 'dog-1', report: 's3://b/runs/dog-1/report/index.html', usd: 4.5 };

/** Identity of the execution until it is redriven. */
export const FIRST = { name: INPUT.runId, begunAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/), redrives: 0 };

/** The message in Lambda's JSON, which is the cause of an execution that a lambda's error ended. */
export const messageOf = ({ cause = '' }: { cause?: string | undefined }): string =>
  JSON.parse(cause).errorMessage;

export interface Call {
  readonly lambda: Lambda;
  // biome-ignore lint/suspicious/noExplicitAny: each lambda has its own input
  readonly input: any;
}

/** The service, the calls of lambdas and the execution of the current run. */
export let cloud: Harness;
export let calls: Call[];
export let arn: string;

/** Starts a run whose lambdas behave as scripted, and succeed by default. */
export async function run(
  script: Partial<Record<Lambda, (input: Call['input']) => unknown>> = {},
): Promise<void> {
  const defaults: Record<Lambda, (input: Call['input']) => unknown> = {
    PlanRun: () => PLANNED,
    InspectPhotos: () => ({ accepted: 5, warnings: 0 }),
    StartJob: ({ stage }) => ({ jobName: `job-${stage}` }),
    ReconcileJob: () => ({ over: false }),
    DecideRound: () => ({ more: false }),
    EndRun: ({ error, redriven }) => {
      if (redriven) return null;
      throw named(error.Error, `explained: ${error.Cause}`);
    },
    PublishRun: () => PUBLISHED,
  };
  calls = [];
  const byName = (lambda: Lambda) => (input: unknown) => {
    calls.push({ lambda, input });
    return (script[lambda] ?? defaults[lambda])(input);
  };
  const names = [...new Set(JSON.stringify(definition).match(/arn:aws:lambda:[\w:-]+/g))];
  const functions: Functions = Object.fromEntries(
    LAMBDAS.map((lambda) => [names.find((name) => name.includes(lambda)) ?? lambda, byName(lambda)]),
  );
  cloud = await new Harness(functions).open();
  const { stateMachineArn } = await cloud.sfn.send(
    new CreateStateMachineCommand({ name: 'run', definition: JSON.stringify(definition), roleArn: ROLE }),
  );
  const started = await cloud.sfn.send(
    new StartExecutionCommand({ stateMachineArn, name: INPUT.runId, input: JSON.stringify(INPUT) }),
  );
  arn = started.executionArn ?? '';
}

/** The inputs of start-job for a stage, in order. */
export const starts = (stage: string) =>
  calls
    .filter(({ lambda, input }) => lambda === 'StartJob' && input.stage === stage)
    .map(({ input }) => input);

/** The token of the latest start of a stage, once it has been started `count` times. */
export async function token(stage: string, count = 1): Promise<string> {
  await until(() => starts(stage).length === count);
  return starts(stage).at(-1).taskToken;
}

export async function succeed(stage: string, count = 1): Promise<void> {
  const taskToken = await token(stage, count);
  const output = JSON.stringify({ jobName: `job-${stage}`, seconds: 1 });
  await cloud.sfn.send(new SendTaskSuccessCommand({ taskToken, output }));
}

export async function fail(stage: string, error: string, cause = 'because', count = 1): Promise<void> {
  const taskToken = await token(stage, count);
  await cloud.sfn.send(new SendTaskFailureCommand({ taskToken, error, cause }));
}

/** Advances the clock once the run has a timer that is due within this time. */
export async function pass(seconds: number): Promise<void> {
  await until(() => (cloud.clock.nextIn ?? Number.POSITIVE_INFINITY) <= seconds * 1000);
  await cloud.clock.advance(seconds);
}

/** Completes the remaining stages successfully and returns the output. */
export async function finish(...stages: string[]): Promise<unknown> {
  for (const stage of stages) await succeed(stage);
  const { status, output, error, cause } = await cloud.ended(arn);
  if (status !== 'SUCCEEDED') throw new Error(`${status}: ${error}: ${cause}`);
  return JSON.parse(output ?? '');
}

export const SAMPLES = ['sample-teacher', 'sample-student'];
