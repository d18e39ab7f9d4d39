/** Rejected states and fields; `rejected-definitions.test.ts` has what concerns several states or expressions. */
import { INVOKE } from './harness.ts';
import { expectRejection, type Rejection } from './rejection.ts';
import { done, map, pass, task, waiting } from './shapes.ts';

describe('an unsupported definition is rejected with location and reason', () => {
  it.each<Rejection>([
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
  ])('%s', expectRejection);
});
