/** The synthesized state machine: timeouts, error handling and data of every state. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import aslValidator from 'asl-validator';
import { EXECUTION_IDENTITY } from '../../lib/cloud/machine/execution.ts';
import { LAMBDA_ERRORS } from '../../lib/cloud/machine/retries.ts';
import { errorNames, retryableNames } from '../../lib/core/errors.ts';
import { JOB_STAGES } from '../../lib/core/words.ts';
import { validateDefinition } from '../../lib/local/states/definition/validate.ts';
import { definitionOf, removeTemporary, synthesize } from './synthesize.ts';

interface State {
  readonly Type: string;
  readonly Next?: string;
  readonly Resource?: string;
  readonly Arguments?: { FunctionName: string; Payload: unknown };
  readonly TimeoutSeconds?: number;
  readonly HeartbeatSeconds?: number;
  readonly Retry?: {
    ErrorEquals: string[];
    MaxAttempts?: number;
    IntervalSeconds?: number;
    JitterStrategy?: string;
  }[];
  readonly Catch?: { ErrorEquals: string[]; Next: string }[];
  readonly Branches?: Block[];
  readonly Choices?: { Condition: string; Next: string }[];
  readonly Default?: string;
}
interface Block {
  readonly StartAt: string;
  readonly States: Record<string, State>;
}

interface NestedState {
  readonly name: string;
  readonly state: State;
  /** The enclosing Parallel states, innermost last. */
  readonly parents: readonly State[];
}

function walk(block: Block, parents: readonly State[] = []): NestedState[] {
  return Object.entries(block.States).flatMap(([name, state]) => [
    { name, state, parents },
    ...(state.Branches ?? []).flatMap((branch) => walk(branch, [...parents, state])),
  ]);
}

const { template } = synthesize({ target: 'local' });
const definition = definitionOf(template);
const states = walk(definition);
const tasks = states.filter(({ state }) => state.Type === 'Task');
const jobs = tasks.filter(({ state }) => state.Resource?.endsWith('.waitForTaskToken'));
const find = (name: string): State => {
  const match = states.find((nested) => nested.name === name);
  if (match === undefined) throw new Error(`no state ${name}`);
  return match.state;
};

afterAll(removeTemporary);

test('is valid Amazon States Language', () => {
  const { isValid, errorsText } = aslValidator(definition);
  expect(errorsText('\n')).toBe('');
  expect(isValid).toBe(true);
});

test('the validator detects a transition to a missing state', () => {
  expect(aslValidator({ ...definition, StartAt: 'Nowhere' }).isValid).toBe(false);
});

test('uses only what the local Step Functions service supports', () => {
  expect(validateDefinition(JSON.stringify(definition))).toEqual([]);
});

test('has a job state for every job stage, under the name that core uses', () => {
  const stages = jobs.map(({ state }) => (state.Arguments?.Payload as { stage?: string } | undefined)?.stage);
  expect(stages.sort()).toEqual([...JOB_STAGES].sort());
});

test('passes the run, the stage, the round if there are several, and the state’s own token to start-job', () => {
  for (const { state } of jobs) {
    const { stage = '' } = (state.Arguments?.Payload ?? {}) as { stage?: string };
    expect(state.Arguments?.Payload).toEqual({
      runId: '{% $runId %}',
      stage,
      ...(['synthesize', 'curate'].includes(stage) ? { round: '{% $round %}' } : {}),
      taskToken: '{% $states.context.Task.Token %}',
      execution: EXECUTION_IDENTITY,
    });
  }
});

test.each(tasks.map(({ name, state }) => [name, state] as const))('%s has a timeout', (_name, state) => {
  expect(state.TimeoutSeconds).toBeGreaterThan(0);
  if (state.HeartbeatSeconds !== undefined)
    expect(state.HeartbeatSeconds).toBeLessThan(state.TimeoutSeconds ?? 0);
});

test('the run as a whole has a timeout', () => {
  expect(definition.TimeoutSeconds).toBe(7 * 24 * 3600);
});

test.each(jobs.map(({ name, state }) => [name, state] as const))(
  '%s is looked up when it is silent or already over, and continues with its state',
  (name, state) => {
    expect(state.HeartbeatSeconds).toBe(900);
    expect(state.Catch).toEqual([
      { ErrorEquals: ['States.HeartbeatTimeout', 'JobOver'], Next: `${name}: look up the job` },
    ]);
    const reconcile = find(`${name}: look up the job`);
    expect(reconcile.Arguments?.FunctionName).toContain('ReconcileJob');
    expect(reconcile.Catch).toEqual([
      { ErrorEquals: ['JobOutOfTime', 'ChunksMissing'], Next: name },
      { ErrorEquals: ['QuotaBusy', 'CapacityUnavailable', 'ServiceFault'], Next: `${name}: wait` },
    ]);
    expect(reconcile.Catch?.flatMap(({ ErrorEquals }) => ErrorEquals).sort()).toEqual(
      retryableNames().sort(),
    );
    expect(find(`${name}: wait`)).toMatchObject({ Type: 'Wait', Seconds: 300, Next: name });
    const over = find(reconcile.Next ?? '');
    expect(over.Default).toBe(name);
    const missedEnd = find(over.Choices?.[0]?.Next ?? '');
    // Either way the pipeline continues with the same state.
    expect(missedEnd.Next).toBe(state.Next);
  },
);

test.each(jobs.map(({ name, state }) => [name, state] as const))(
  '%s is retried after the errors of the catalogue that are retryable, and after no other of them',
  (_name, state) => {
    const retried = (state.Retry ?? []).flatMap(({ ErrorEquals }) => ErrorEquals);
    expect(retried.filter((error) => (errorNames() as string[]).includes(error)).sort()).toEqual(
      [...retryableNames()].sort(),
    );
    const waited = state.Retry?.find(({ ErrorEquals }) => ErrorEquals.includes('QuotaBusy'));
    expect(waited).toMatchObject({ IntervalSeconds: 300, JitterStrategy: 'FULL' });
    expect(waited?.ErrorEquals).toEqual(['QuotaBusy', 'CapacityUnavailable', 'ServiceFault']);
  },
);

test('every task, or a state around it, catches all errors', () => {
  const catchesAll = (state: State) =>
    state.Catch?.some(({ ErrorEquals }) => ErrorEquals.includes('States.ALL'));
  const bare = tasks.filter(({ state, parents }) => !catchesAll(state) && !parents.some(catchesAll));
  // It fails the execution on purpose, with the error of the run.
  expect(bare.map(({ name }) => name)).toEqual(['End the run']);
});

test('every error leads to end-run and then fails the execution under its name', () => {
  const end = find('Run').Catch?.[0];
  expect(end).toMatchObject({ ErrorEquals: ['States.ALL'], Next: 'End the run' });
  expect(find('End the run').Arguments).toEqual({
    FunctionName: expect.stringContaining('EndRun'),
    Payload: {
      runId: '{% $runId %}',
      error: '{% $states.input.error %}',
      execution: EXECUTION_IDENTITY,
      redriven: '{% $states.context.Execution.RedriveCount > $states.input.redrives %}',
    },
  });
  // Only entered again by a redrive does it succeed.
  expect(find('End the run').Next).toBe('Run');
  expect(find('End the run').Catch).toEqual([
    expect.objectContaining({ ErrorEquals: [...LAMBDA_ERRORS, 'States.Timeout'], Next: 'Failed' }),
  ]);
  expect(find('Failed')).toMatchObject({ Type: 'Fail', Error: '{% $states.input.error %}' });
});

test('runs the stages in the order of the pipeline', () => {
  const branch = find('Run').Branches?.[0] as Block;
  const order: string[] = [];
  const after = (name: string) => branch.States[name]?.Next ?? branch.States[name]?.Default;
  /** The first state of a stage that only some runs have. */
  const optional = (title: string, stage: string) =>
    expect(find(`${title}?`)).toMatchObject({
      Type: 'Choice',
      Choices: [{ Condition: `{% '${stage}' in $stages %}`, Next: title }],
    });
  for (let at: string | undefined = branch.StartAt; at !== undefined; at = after(at)) order.push(at);
  const skipped = ['Teach', 'Synthesize'].flatMap((title) => [`${title}?`, `${title}: not planned`]);
  const first = ['Plan', 'Inspect', ...skipped, 'Curate?', 'Proxies are ready'];
  expect(order).toEqual([...first, 'Learn', 'Sample', 'Evaluate', 'Publish']);
  optional('Teach', 'teach');
  optional('Synthesize', 'synthesize');
  optional('Curate', 'curate');
  optional('Sample teacher', 'sample-teacher');
  expect([find('Teach').Next, find('Synthesize').Next]).toEqual(['Synthesize?', 'Curate?']);
  expect(find('Curate: more?').Default).toBe('Proxies are ready');
  expect(find('Curate: next round').Next).toBe('Synthesize?');
  expect(find('Sample').Branches?.map(({ StartAt }) => StartAt)).toEqual([
    'Sample teacher?',
    'Sample student',
  ]);
});

test('heartbeat and waits follow the settings', () => {
  const { template: quick } = synthesize({ target: 'local', heartbeatSeconds: '5', retrySeconds: '1' });
  const teach = walk(definitionOf(quick)).find(({ name }) => name === 'Teach')?.state;
  expect(teach?.HeartbeatSeconds).toBe(5);
  expect(teach?.Retry?.find(({ ErrorEquals }) => ErrorEquals.includes('QuotaBusy'))).toMatchObject({
    IntervalSeconds: 1,
    MaxDelaySeconds: 6,
  });
  expect(validateDefinition(JSON.stringify(definitionOf(quick)))).toEqual([]);
});

test('the documentation says how large the definition is', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/architecture.md'), 'utf8');
  const [, count, kilobytes] = /The definition has (\d+) states and (\d+) kB/.exec(text) ?? [];
  expect(Number(count)).toBe(states.length);
  // Addresses of lambdas are of another length in an account.
  expect(Math.abs(Number(kilobytes) - JSON.stringify(definition).length / 1000)).toBeLessThan(5);
});
