import { ManualClock, systemClock } from '../../../lib/local/states/clock.ts';
import { Harness } from './harness.ts';

describe('ManualClock', () => {
  it('runs every call at its own time, in order, including new ones', async () => {
    const clock = new ManualClock(0);
    const calls: [string, number][] = [];
    const note = (name: string) => (): void => void calls.push([name, clock.now()]);
    clock.schedule(3000, note('c'));
    clock.schedule(1000, () => {
      note('a')();
      clock.schedule(1000, note('b'));
    });
    clock.schedule(3000, note('d'));
    clock.schedule(9000, note('never'));
    await clock.advance(5);
    expect(calls).toEqual([
      ['a', 1000],
      ['b', 2000],
      ['c', 3000],
      ['d', 3000],
    ]);
    expect(clock.now()).toBe(5000);
    expect(clock.nextIn).toBe(4000);
  });

  it('does not run a cancelled call', async () => {
    const clock = new ManualClock();
    const cancel = clock.schedule(1, () => {
      throw new Error('was cancelled');
    });
    cancel();
    await clock.advance(1);
    expect(clock.nextIn).toBeUndefined();
  });
});

describe('systemClock', () => {
  it('runs a call when it is due, unless it is cancelled', async () => {
    const before = systemClock.now();
    let cancelled = true;
    systemClock.schedule(10, () => {
      cancelled = false;
    })();
    await new Promise<void>((resolve) => systemClock.schedule(30, resolve));
    expect(systemClock.now() - before).toBeGreaterThanOrEqual(29);
    expect(cancelled).toBe(true);
  });

  it('does not fire immediately for a time beyond 24 days, unlike setTimeout', async () => {
    let called = false;
    const cancel = systemClock.schedule(99_999_999_000, () => {
      called = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    cancel();
    expect(called).toBe(false);
  });

  it('is the default clock of a service', async () => {
    const cloud = await new Harness({}, { clock: systemClock }).open();
    try {
      const { startDate, stopDate } = await cloud.run({ W: { Type: 'Wait', Seconds: 1, End: true } });
      const took = (stopDate?.getTime() ?? 0) - (startDate?.getTime() ?? 0);
      expect(took).toBeGreaterThanOrEqual(999);
      expect(took).toBeLessThan(3000);
    } finally {
      await cloud.close();
    }
  });
});
