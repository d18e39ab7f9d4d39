import { validateDefinition } from '../../../lib/local/states/definition/validate.ts';
import { machine } from './harness.ts';
import { done, map, parallel, pass, task, waiting } from './shapes.ts';

describe('a supported definition', () => {
  it.each<[string, Record<string, unknown>]>([
    [
      'every state type',
      {
        A: pass({ Next: 'B', End: undefined }),
        B: { Type: 'Choice', Choices: [{ Condition: '{% $states.input.x %}', Next: 'C' }], Default: 'D' },
        C: { Type: 'Wait', Seconds: 1, Next: 'E' },
        D: { Type: 'Fail', Error: 'No' },
        E: task({ End: undefined, Next: 'F' }),
        F: parallel({ G: pass() }, { End: undefined, Next: 'H' }),
        H: map({ End: undefined, Next: 'Z' }),
        Z: done,
      },
    ],
    [
      'a task with all its fields',
      {
        A: waiting({
          Comment: 'c',
          TimeoutSeconds: 60,
          HeartbeatSeconds: 10,
          Output: 1,
          Assign: { x: 1 },
          Retry: [
            {
              ErrorEquals: ['A', 'States.Timeout'],
              IntervalSeconds: 1,
              BackoffRate: 1,
              MaxAttempts: 0,
              MaxDelaySeconds: 2,
              JitterStrategy: 'FULL',
            },
          ],
          Catch: [{ ErrorEquals: ['States.ALL'], Next: 'B', Output: 1, Assign: { y: 1 } }],
        }),
        B: done,
      },
    ],
    [
      'a loop that can end',
      {
        A: { Type: 'Choice', Choices: [{ Condition: true, Next: 'B' }], Default: 'C' },
        B: pass({ End: undefined, Next: 'A' }),
        C: done,
      },
    ],
    ['fields with the names of inherited members', { constructor: pass() }],
    // Recorded as accepted by AWS.
    [
      'errors that end the execution, named in Retry and Catch',
      {
        A: task({
          Retry: [{ ErrorEquals: ['States.Runtime', 'States.DataLimitExceeded'] }],
          Catch: [{ ErrorEquals: ['States.DataLimitExceeded', 'States.Runtime'], Next: 'B' }],
        }),
        B: done,
      },
    ],
    ['empty lists of retriers and catchers', { A: task({ Retry: [], Catch: [] }) }],
    ['a heartbeat without a task token', { A: task({ HeartbeatSeconds: 60 }) }],
    ['a text that contains an expression between spaces', { A: pass({ Output: ' {% $x %} ' }) }],
    ['a member named like a field of JSONPath', { A: pass({ Output: { 'a.$': '$.b' } }) }],
    [
      'a branch and a catcher around it that assign the same variable',
      {
        P: parallel(
          { G: pass({ Assign: { x: 1 } }) },
          { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Z', Assign: { x: 2 } }] },
        ),
        Z: done,
      },
    ],
  ])('has no findings: %s', (_, states) => {
    expect(validateDefinition(machine(states))).toEqual([]);
  });

  it('may set the language on every state instead of on the machine', () => {
    const definition = JSON.stringify({ StartAt: 'A', States: { A: pass({ QueryLanguage: 'JSONata' }) } });
    expect(validateDefinition(definition)).toEqual([]);
  });
});
