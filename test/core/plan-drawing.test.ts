/** How the pictures of a plan are drawn: as which job, on how many instances, for how much. */

import { model } from '../../lib/core/catalogue/models.ts';
import { transformOf } from '../../lib/core/plan/plan.ts';
import { instancesFor } from '../../lib/core/plan/pricing.ts';
import { plan, refusal } from './planning.ts';

describe('drawing the proxies', () => {
  const drawing = (fields: object) => transformOf(plan({ maxUsd: 1000, ...fields }), 'synthesize');

  test('is priced as a transform and on spot, whichever is chosen', () => {
    const transform = drawing({});
    const spot = drawing({ synthesis: 'spot' });
    expect([transform.kind, spot.kind]).toEqual(['transform', 'spot']);
    expect(transform.alternatives).toEqual(spot.alternatives);
    const prices = transform.alternatives;
    expect(prices?.transform?.usd).toBe(transform.usd);
    expect(prices?.spot?.usd).toBe(spot.usd);
    // ml.g5.2xlarge lists at 1.515 USD an hour; spot saves 65 %.
    expect(transform.usd).toBeCloseTo((transform.minutes / 60) * 1.515, 3);
    expect(spot.usd).toBeCloseTo(0.35 * transform.usd, 3);
    expect(spot).toMatchObject({
      chunks: transform.chunks,
      size: transform.size,
      sampler: transform.sampler,
    });
  });

  test('says where an instance type is offered for one of the two only', () => {
    const on = { advanced: { synthesize: { instanceType: 'ml.p5.4xlarge' } } };
    const { alternatives } = drawing({ synthesis: 'spot', ...on });
    expect(alternatives).toMatchObject({ transform: null, spot: { instanceType: 'ml.p5.4xlarge' } });
    expect(refusal(() => drawing(on)).message).toContain('for no transform job. Given: ml.p5.4xlarge.');
  });

  test('on more instances takes less time, and costs as many models loaded', () => {
    const { load } = model('sdxl').minutes;
    const one = drawing({});
    const four = drawing({ advanced: { synthesize: { instances: 4 } } });
    // 63 chunks of 16: three instances have 16 of them, and the fourth is paid while it waits.
    expect(four.minutes).toBeCloseTo(load + (one.minutes - load) * (256 / 1000), 2);
    expect(four.usd).toBeCloseTo(4 * (four.minutes / 60) * 1.515, 3);
    expect(four.usd - one.usd).toBeGreaterThan(((3 * load) / 60) * 1.515);
  });

  test('asks for no more instances than find a chunk to draw', () => {
    const instances = (fields: object, more: object = {}) => {
      const advanced = { synthesize: { instances: 4, ...more } };
      return drawing({ advanced, ...fields }).instances;
    };
    expect(drawing({}).instances).toBe(1);
    expect(instances({})).toBe(4);
    // Two chunks; with rounds, one in each.
    expect(instances({ proxies: 20 })).toBe(2);
    expect(instances({ proxies: 20, adaptiveProxies: true })).toBe(1);
    // Eight chunks. On spot all four GPUs of an instance draw, in a transform one of them.
    const gpus = { instanceType: 'ml.g5.12xlarge' };
    expect(instances({ proxies: 128 }, gpus)).toBe(4);
    expect(instances({ proxies: 128, synthesis: 'spot' }, gpus)).toBe(2);
    expect(instances({ proxies: 16, synthesis: 'spot' }, gpus)).toBe(1);
  });

  test.each([
    [0, 1],
    [1, 1],
    [2, 2],
    [3, 3],
    [40, 3],
  ])('what is left of %i chunks is asked for on %i of three instances', (chunks, instances) => {
    const how = drawing({ advanced: { synthesize: { instances: 3 } } });
    expect(instancesFor(how, chunks)).toBe(instances);
    const [teacher, student] = (['sample-teacher', 'sample-student'] as const).map((stage) =>
      instancesFor(transformOf(plan({ maxUsd: 1000 }), stage), chunks),
    );
    expect([teacher, student]).toEqual([1, 1]);
  });

  test('on spot uses all GPUs of an instance, as a transform one', () => {
    const on = { advanced: { synthesize: { instanceType: 'ml.g5.12xlarge' } } };
    const { load } = model('sdxl').minutes;
    const one = drawing(on).minutes;
    expect(one).toBeCloseTo(drawing({}).minutes, 2);
    expect(drawing({ synthesis: 'spot', ...on }).minutes).toBeCloseTo(load + (one - load) * (256 / 1000), 2);
    // Never more of them than there are chunks.
    const few = drawing({ synthesis: 'spot', proxies: 20, ...on });
    expect(few.chunks).toBe(2);
    expect(few.minutes).toBeCloseTo(load + (drawing({ proxies: 20 }).minutes - load) * (16 / 20), 2);
  });

  test('on spot counts against maxUsd as if spot saved nothing', () => {
    const list = plan({ maxUsd: 1000 }).estimate.usd;
    const spot = plan({ maxUsd: 1000, synthesis: 'spot' }).estimate.usd;
    expect(spot).toBeLessThan(list - 1);
    expect(refusal(() => plan({ maxUsd: list - 0.5, synthesis: 'spot' })).name).toBe('OverBudget');
  });
});
