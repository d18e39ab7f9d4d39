/** A limit of functions that run at once: further tasks wait, and their timeout does not begin. */
import { Harness, INVOKE, until, WAIT_FOR_TOKEN } from './harness.ts';

/** Functions that have been called, each with what lets it return. */
let running: (() => void)[];
let cloud: Harness;

beforeEach(async () => {
  running = [];
  const slow = () => new Promise<string>((done) => running.push(() => done('done')));
  cloud = await new Harness({ slow }, { maxConcurrentLambdas: 2 }).open();
});
afterEach(() => cloud.close());

const task = (resource = INVOKE, more: Record<string, unknown> = {}) => ({
  Work: {
    Type: 'Task',
    Resource: resource,
    Arguments: { FunctionName: 'slow', Payload: { token: '{% $states.context.Task.Token %}' } },
    TimeoutSeconds: 60,
    End: true,
    ...more,
  },
});
const calling = task(INVOKE, { Arguments: { FunctionName: 'slow' } });

/** Lets the states service do everything that it can do now. */
const settled = () => new Promise((done) => setTimeout(done, 100));

it('is kept, and a task that waited longer than its timeout still runs', async () => {
  const arns = await Promise.all([1, 2, 3, 4].map(() => cloud.start(calling)));
  await until(() => running.length === 2);
  await settled();
  expect(running).toHaveLength(2);
  // The first two are over, and the other two have not begun.
  await cloud.clock.advance(61);
  const statuses = async () => Promise.all(arns.map(async (arn) => (await cloud.describe(arn)).status));
  await until(async () => (await statuses()).filter((status) => status === 'FAILED').length === 2);
  // A function runs on after its state has timed out, as on AWS, and keeps its place until it returns.
  await settled();
  expect(running).toHaveLength(2);
  for (const end of running) end();
  await until(() => running.length === 4);
  for (const end of running.slice(2)) end();
  await until(async () => !(await statuses()).includes('RUNNING'));
  expect((await statuses()).sort()).toEqual(['FAILED', 'FAILED', 'SUCCEEDED', 'SUCCEEDED']);
});

it('is not used up by tasks that only wait for their token', async () => {
  for (let count = 1; count <= 3; count += 1) {
    await cloud.start(task(WAIT_FOR_TOKEN));
    await until(() => running.length === count);
    running.at(-1)?.();
  }
});

it('does not keep an execution that is stopped while it waits', async () => {
  await Promise.all([cloud.start(calling), cloud.start(calling)]);
  await until(() => running.length === 2);
  const waiting = await cloud.start({ ...calling }, {}, { TimeoutSeconds: 5 });
  await settled();
  await cloud.clock.advance(6);
  expect((await cloud.ended(waiting)).status).toBe('TIMED_OUT');
  const next = await cloud.start(calling);
  for (const end of running.splice(0)) end();
  await until(() => running.length === 1);
  running[0]?.();
  expect((await cloud.ended(next)).status).toBe('SUCCEEDED');
});

it('does not count a task whose arguments cannot be evaluated', async () => {
  for (let count = 0; count < 3; count += 1)
    await cloud.run(task(INVOKE, { Arguments: { FunctionName: '{% $absent.x.y + 1 %}' } }));
  const arn = await cloud.start(calling);
  await until(() => running.length === 1);
  running[0]?.();
  expect((await cloud.ended(arn)).status).toBe('SUCCEEDED');
});
