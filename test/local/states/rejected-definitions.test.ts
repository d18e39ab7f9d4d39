/** Rejected transitions, expressions and variables, and definitions that are rejected as a whole. */
import { parseDefinition, validateDefinition } from '../../../lib/local/states/definition/validate.ts';
import { machine } from './harness.ts';
import { expectRejection, type Rejection } from './rejection.ts';
import { done, parallel, pass, task } from './shapes.ts';

describe('an unsupported definition is rejected with location and reason', () => {
  it.each<Rejection>([
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
  ])('%s', expectRejection);

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
