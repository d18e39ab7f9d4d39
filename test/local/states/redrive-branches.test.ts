import { SendTaskSuccessCommand } from '@aws-sdk/client-sfn';
import { CallsHarness, job, next, work } from './calls-harness.ts';
import { until } from './harness.ts';
import { pass, task } from './shapes.ts';

let cloud: CallsHarness;

beforeEach(async () => {
  cloud = await new CallsHarness().open();
});
afterEach(() => cloud.close());

describe('a redrive', () => {
  it('continues the branches that did not succeed, and no other', async () => {
    cloud.broken.add('Bad');
    const arn = await cloud.start({
      P: {
        Type: 'Parallel',
        Branches: [
          { StartAt: 'Good', States: work('Good') },
          {
            StartAt: 'Before',
            States: { ...work('Before', next('Bad')), ...work('Bad', next('After')), ...work('After') },
          },
          { StartAt: 'Long', States: job('Long') },
        ],
        End: true,
      },
    });
    await until(() => cloud.tokens.length === 1);
    expect(await cloud.ended(arn)).toMatchObject({ status: 'FAILED', error: 'Broken' });
    cloud.broken.clear();
    await cloud.redrive(arn);
    await until(() => cloud.tokens.length === 2);
    // The token of the earlier attempt is void, as after any other end of its state.
    await expect(
      cloud.sfn.send(new SendTaskSuccessCommand({ taskToken: cloud.tokens[0], output: '1' })),
    ).rejects.toMatchObject({ name: 'TaskTimedOut' });
    await cloud.sfn.send(new SendTaskSuccessCommand({ taskToken: cloud.tokens[1], output: '"long"' }));
    expect(await cloud.outputOf(arn)).toEqual(['Good', 'After', 'long']);
    expect(cloud.callsOf('Good')).toBe(1);
    expect(cloud.callsOf('Before')).toBe(1);
    expect(cloud.callsOf('Bad')).toBe(2);
    expect((await cloud.types(arn)).filter((type) => type === 'ParallelStateStarted')).toHaveLength(1);
  });

  it('continues inside nested branches, with their own variables', async () => {
    cloud.broken.add('Deep');
    const deep = work('Deep', { Output: '{% [$outer, $own, $states.input] %}' });
    const inner = {
      Inner: {
        Type: 'Parallel',
        Branches: [
          {
            StartAt: 'Set',
            States: { Set: pass({ Assign: { own: 2 }, Output: 3, ...next('Deep') }), ...deep },
          },
          { StartAt: 'Fine', States: work('Fine') },
        ],
        End: true,
      },
    };
    const arn = await cloud.start({
      Start: pass({ Assign: { outer: 1 }, ...next('Outer') }),
      Outer: { Type: 'Parallel', Branches: [{ StartAt: 'Inner', States: inner }], End: true },
    });
    expect((await cloud.ended(arn)).error).toBe('Broken');
    cloud.broken.clear();
    await cloud.redrive(arn);
    expect(await cloud.outputOf(arn)).toEqual([[[1, 2, 3], 'Fine']]);
    expect(cloud.callsOf('Deep')).toBe(2);
  });

  it('continues the iterations that did not succeed, and no other', async () => {
    cloud.broken.add('b');
    const arn = await cloud.start(
      {
        M: {
          Type: 'Map',
          Items: '{% $states.input %}',
          MaxConcurrency: 1,
          ItemProcessor: {
            StartAt: 'I',
            States: {
              I: task({
                Arguments: { FunctionName: 'f', Payload: { name: '{% $states.input %}' } },
                Output: '{% $states.context.Map.Item.Value & $states.result.Payload %}',
              }),
            },
          },
          End: true,
        },
      },
      ['a', 'b', 'c'],
    );
    expect(await cloud.ended(arn)).toMatchObject({ status: 'FAILED', error: 'Broken' });
    cloud.broken.clear();
    await cloud.redrive(arn);
    expect(await cloud.outputOf(arn)).toEqual(['aa', 'bb', 'cc']);
    expect(cloud.calls).toEqual(['a', 'b', 'b', 'c']);
    const types = await cloud.types(arn);
    expect(types.filter((type) => type === 'MapIterationStarted')).toHaveLength(3);
    expect(types.filter((type) => type === 'MapIterationSucceeded')).toHaveLength(3);
  });

  it('runs all branches again if their results were too long together', async () => {
    const half = { Output: "{% $pad('', 140000, 'x') %}" };
    const arn = await cloud.start({
      P: {
        Type: 'Parallel',
        Branches: [
          { StartAt: 'A', States: work('A', half) },
          { StartAt: 'B', States: work('B', half) },
        ],
        End: true,
      },
    });
    expect((await cloud.ended(arn)).error).toBe('States.DataLimitExceeded');
    await cloud.redrive(arn);
    expect((await cloud.ended(arn)).error).toBe('States.DataLimitExceeded');
    expect([...cloud.calls].sort()).toEqual(['A', 'A', 'B', 'B']);
  });
});
