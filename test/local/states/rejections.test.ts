import { parseDefinition, validateDefinition } from '../../../lib/local/states/definition/validate.ts';
import { INVOKE, machine } from './harness.ts';
import { done, map, parallel, pass, task, waiting } from './shapes.ts';

describe('an unsupported definition is rejected with location and reason', () => {
  it.each<[string, string, string, Record<string, unknown>]>([
    // Types, fields and resources
    ['an unknown type', '/States/A/Type', 'must be one of Task', { A: { Type: 'Activity', End: true } }],
    ['no type', '/States/A/Type', 'must be one of Task', { A: { End: true } }],
    ['a state that is not an object', '/States/A', 'must be an object', { A: 1 }],
    ['an unknown field', '/States/A/Wobble', 'no field Wobble', { A: pass({ Wobble: 1 }) }],
    [
      'a field with the name of an inherited member',
      '/States/A/constructor',
      'no field constructor',
      { A: pass({ constructor: 1 }) },
    ],
    ['credentials', '/States/A/Credentials', 'no field Credentials', { A: task({ Credentials: {} }) }],
    ['JSONPath fields', '/States/A/ResultPath', 'use Output or Assign', { A: task({ ResultPath: '$.x' }) }],
    ['JSONPath results', '/States/A/Result', 'use Output', { A: pass({ Result: 1 }) }],
    [
      'the JSONPath language of a state',
      '/States/A/QueryLanguage',
      'must be "JSONata"',
      { A: pass({ QueryLanguage: 'JSONPath' }) },
    ],
    [
      'other integrations',
      '/States/A/Resource',
      'supported are arn:aws:states:::lambda:invoke',
      { A: task({ Resource: 'arn:aws:states:::sagemaker:createTrainingJob.sync' }) },
    ],
    [
      'function ARNs as resource',
      '/States/A/Resource',
      'supported are',
      { A: task({ Resource: 'arn:aws:lambda:us-east-1:000000000000:function:f' }) },
    ],
    [
      'a task without arguments',
      '/States/A',
      'must have Arguments',
      { A: { Type: 'Task', Resource: INVOKE, End: true } },
    ],
    [
      'a task without function',
      '/States/A/Arguments',
      'must have FunctionName',
      { A: task({ Arguments: { Payload: {} } }) },
    ],
    [
      'other arguments of lambda:invoke',
      '/States/A/Arguments/InvocationType',
      'no field InvocationType',
      { A: task({ Arguments: { FunctionName: 'f', InvocationType: 'Event' } }) },
    ],
    ['Assign on Succeed', '/States/A/Assign', 'no field Assign', { A: { Type: 'Succeed', Assign: {} } }],
    ['Retry on Pass', '/States/A/Retry', 'no field Retry', { A: pass({ Retry: [{ ErrorEquals: ['X'] }] }) }],
    // Transitions
    [
      'an unknown Next',
      '/States/A/Next',
      "the state 'B' does not exist",
      { A: pass({ End: undefined, Next: 'B' }) },
    ],
    [
      'an unknown Default',
      '/States/A/Default',
      "the state 'B' does not exist",
      { A: { Type: 'Choice', Choices: [{ Condition: true, Next: 'Z' }], Default: 'B' }, Z: done },
    ],
    [
      'an unknown Next of a choice',
      '/States/A/Choices/0/Next',
      "the state 'B' does not exist",
      { A: { Type: 'Choice', Choices: [{ Condition: true, Next: 'B' }], Default: 'Z' }, Z: done },
    ],
    [
      'an unknown Next of a catcher',
      '/States/A/Catch/0/Next',
      "the state 'B' does not exist",
      { A: task({ Catch: [{ ErrorEquals: ['States.ALL'], Next: 'B' }] }) },
    ],
    [
      'a Next into a branch',
      '/States/A/Next',
      "the state 'G' does not exist",
      { A: pass({ End: undefined, Next: 'G' }), P: parallel({ G: pass() }) },
    ],
    ['an unreachable state', '/States/B', "no state leads to 'B'", { A: pass(), B: pass() }],
    [
      'neither Next nor End',
      '/States/A',
      'must have Next, or End set to true',
      { A: { Type: 'Pass' }, Z: done },
    ],
    ['both Next and End', '/States/A', 'not both', { A: pass({ Next: 'Z' }), Z: done }],
    [
      'a block that never ends',
      '/States',
      'no state ends',
      { A: pass({ End: undefined, Next: 'B' }), B: pass({ End: undefined, Next: 'A' }) },
    ],
    [
      'an unknown StartAt in a branch',
      '/States/P/Branches/0/StartAt',
      "the state 'X' does not exist",
      { P: { Type: 'Parallel', Branches: [{ StartAt: 'X', States: { A: pass() } }], End: true } },
    ],
    [
      'the same name twice',
      '/States/P/Branches/0/States/P',
      'exists elsewhere',
      { P: parallel({ P: pass() }) },
    ],
    [
      'a name that is too long',
      `/States/${'n'.repeat(81)}`,
      '1 to 80 characters',
      { ['n'.repeat(81)]: pass() },
    ],
    // Times
    [
      'a heartbeat as long as the timeout',
      '/States/A/HeartbeatSeconds',
      'less than TimeoutSeconds',
      { A: waiting({ TimeoutSeconds: 60, HeartbeatSeconds: 60 }) },
    ],
    [
      'a timeout of zero',
      '/States/A/TimeoutSeconds',
      'whole number from 1',
      { A: task({ TimeoutSeconds: 0 }) },
    ],
    [
      'a wait without time',
      '/States/A',
      'exactly one of Seconds and Timestamp',
      { A: { Type: 'Wait', End: true } },
    ],
    [
      'a wait with two times',
      '/States/A',
      'exactly one of Seconds and Timestamp',
      { A: { Type: 'Wait', Seconds: 1, Timestamp: '2026-01-01T00:00:00Z', End: true } },
    ],
    [
      'a timestamp without offset',
      '/States/A/Timestamp',
      'must be a timestamp',
      { A: { Type: 'Wait', Timestamp: '2026-01-01', End: true } },
    ],
    // Retry and Catch
    [
      'States.ALL among others',
      '/States/A/Retry/0/ErrorEquals',
      'must be the only error',
      { A: task({ Retry: [{ ErrorEquals: ['X', 'States.ALL'] }] }) },
    ],
    [
      'States.ALL not last',
      '/States/A/Catch/0',
      'must be in the last element',
      {
        A: task({
          Catch: [
            { ErrorEquals: ['States.ALL'], Next: 'Z' },
            { ErrorEquals: ['X'], Next: 'Z' },
          ],
        }),
        Z: done,
      },
    ],
    [
      'reserved names that are never reported',
      '/States/A/Retry/0/ErrorEquals/0',
      'never reported here',
      { A: task({ Retry: [{ ErrorEquals: ['States.Tmieout'] }] }) },
    ],
    [
      'no errors at all',
      '/States/A/Retry/0/ErrorEquals',
      'at least one element',
      { A: task({ Retry: [{ ErrorEquals: [] }] }) },
    ],
    [
      'a backoff below one',
      '/States/A/Retry/0/BackoffRate',
      '1 or more',
      { A: task({ Retry: [{ ErrorEquals: ['X'], BackoffRate: 0.5 }] }) },
    ],
    [
      'a cap below the first delay',
      '/States/A/Retry/0/MaxDelaySeconds',
      'greater than IntervalSeconds (5)',
      { A: task({ Retry: [{ ErrorEquals: ['X'], IntervalSeconds: 5, MaxDelaySeconds: 5 }] }) },
    ],
    [
      'an unknown jitter',
      '/States/A/Retry/0/JitterStrategy',
      '"FULL" or "NONE"',
      { A: task({ Retry: [{ ErrorEquals: ['X'], JitterStrategy: 'SOME' }] }) },
    ],
    // Expressions and variables
    [
      'an expression with a mistake',
      '/States/A/Output/x',
      'is not JSONata',
      { A: pass({ Output: { x: '{% 1 + %}' } }) },
    ],
    [
      'an incomplete expression',
      '/States/A/Output',
      'an incomplete expression',
      { A: pass({ Output: ' {% 1 %}' }) },
    ],
    ['an operator of later JSONata', '/States/A/Output', 'S0211', { A: pass({ Output: '{% $a ?? 1 %}' }) }],
    ['the default operator', '/States/A/Output', 'S0211', { A: pass({ Output: '{% $a ?: 1 %}' }) }],
    [
      'an expression after a space',
      '/States/A/Output',
      'an incomplete expression',
      { A: pass({ Output: '{% 1 %} ' }) },
    ],
    ['$eval', '/States/A/Output', 'use $parse', { A: pass({ Output: "{% $count([1, $eval('1')]) %}" }) }],
    ['a bare field', '/States/A/Output', "reads the field 'input'", { A: pass({ Output: '{% input.x %}' }) }],
    ['a bare $', '/States/A/Output', "reads '$'", { A: pass({ Output: '{% 1 + $.x %}' }) }],
    [
      'a bare $$ in an argument',
      '/States/A/Output',
      "reads '$$'",
      { A: pass({ Output: '{% $count($$) %}' }) },
    ],
    [
      'a condition that is text',
      '/States/A/Choices/0/Condition',
      'true, false or a {% … %} expression',
      { A: { Type: 'Choice', Choices: [{ Condition: 'yes', Next: 'Z' }], Default: 'Z' }, Z: done },
    ],
    [
      'JSONPath comparisons',
      '/States/A/Choices/0/StringEquals',
      'no field StringEquals',
      {
        A: {
          Type: 'Choice',
          Choices: [{ Variable: '$.x', StringEquals: 'y', Condition: true, Next: 'Z' }],
          Default: 'Z',
        },
        Z: done,
      },
    ],
    ['assigning $states', '/States/A/Assign/states', 'reserved', { A: pass({ Assign: { states: 1 } }) }],
    [
      'an invalid variable name',
      '/States/A/Assign/a-b',
      'not a variable name',
      { A: pass({ Assign: { 'a-b': 1 } }) },
    ],
    [
      'a branch that assigns an outer variable',
      '/States/P/Branches/0/States/G/Assign/x',
      'variable of an outer scope',
      {
        A: pass({ End: undefined, Next: 'P', Assign: { x: 1 } }),
        P: parallel({ G: pass({ Assign: { x: 2 } }) }),
      },
    ],
    [
      "a branch that assigns a variable of a catcher outside the branch's own state",
      '/States/P/Branches/0/States/G/Assign/x',
      'variable of an outer scope',
      {
        A: task({
          Catch: [{ ErrorEquals: ['States.ALL'], Next: 'P', Assign: { x: 1 } }],
          End: undefined,
          Next: 'P',
        }),
        P: parallel({ G: pass({ Assign: { x: 2 } }) }),
      },
    ],
    // Map
    [
      'a distributed Map',
      '/States/M/ItemProcessor/ProcessorConfig/Mode',
      'must be "INLINE"',
      { M: map({}, { ProcessorConfig: { Mode: 'DISTRIBUTED' } }) },
    ],
    [
      'an execution type of a Map',
      '/States/M/ItemProcessor/ProcessorConfig/ExecutionType',
      'no field ExecutionType',
      { M: map({}, { ProcessorConfig: { Mode: 'INLINE', ExecutionType: 'STANDARD' } }) },
    ],
    ['an item reader', '/States/M/ItemReader', 'no field ItemReader', { M: map({ ItemReader: {} }) }],
    [
      'tolerated failures',
      '/States/M/ToleratedFailureCount',
      'no field ToleratedFailureCount',
      { M: map({ ToleratedFailureCount: 1 }) },
    ],
    ['a Map without processor', '/States/M', 'must have ItemProcessor', { M: { Type: 'Map', End: true } }],
    ['items that are not a list', '/States/M/Items', 'must be an array', { M: map({ Items: 'plain' }) }],
  ])('%s', (_, location, message, states) => {
    const found = validateDefinition(machine(states));
    expect(found).toContainEqual({
      severity: 'ERROR',
      code: expect.any(String),
      location,
      message: expect.stringContaining(message),
    });
  });

  it.each([
    ['{not json', 'INVALID_JSON_DESCRIPTION'],
    ['[]', 'SCHEMA_VALIDATION_FAILED'],
    ['{"QueryLanguage":"JSONata","StartAt":"A","States":{}}', 'SCHEMA_VALIDATION_FAILED'],
    [
      '{"QueryLanguage":"JSONPath","StartAt":"A","States":{"A":{"Type":"Succeed"}}}',
      'SCHEMA_VALIDATION_FAILED',
    ],
    ['{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}', 'UNSUPPORTED_FIELD'],
    [
      '{"QueryLanguage":"JSONata","StartAt":"B","States":{"A":{"Type":"Succeed"}}}',
      'MISSING_TRANSITION_TARGET',
    ],
    [
      '{"QueryLanguage":"JSONata","StartAt":"A","Loops":1,"States":{"A":{"Type":"Succeed"}}}',
      'UNSUPPORTED_FIELD',
    ],
    [
      '{"QueryLanguage":"JSONata","StartAt":"A","TimeoutSeconds":0,"States":{"A":{"Type":"Succeed"}}}',
      'SCHEMA_VALIDATION_FAILED',
    ],
  ])('%s: %s', (definition, code) => {
    expect(validateDefinition(definition).map((finding) => finding.code)).toContain(code);
  });

  it('rejects a definition above 1 MiB', () => {
    expect(
      validateDefinition(machine({ A: pass({ Comment: 'x'.repeat(1024 * 1024) }) }))[0]?.message,
    ).toContain('1 MiB');
  });

  it('reports all mistakes at once, also in the error', () => {
    const definition = machine({ A: pass({ Wobble: 1, Next: 'Nowhere', End: undefined }), B: pass() });
    expect(validateDefinition(definition)).toHaveLength(4);
    expect(() => parseDefinition(definition)).toThrow(
      /Wobble here.*at \/States\/A\/Wobble; .*Nowhere.*; UNREACHABLE_STATE: .*'B' at \/States\/B/,
    );
  });
});
