/** Lists of jobs, and tags. */
import {
  AddTagsCommand,
  DeleteTagsCommand,
  DeleteTrainingJobCommand,
  ListTagsCommand,
  ListTrainingJobsCommand,
} from '@aws-sdk/client-sagemaker';
import { Bench } from './support.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
  await bench.startService();
}, 60_000);
afterAll(() => bench.close(), 30_000);

test('no job is in a warm pool or a training plan, so these filters find none', async () => {
  await bench.createTraining('any');
  await bench.trainingEnd('any');
  const list = (input: object) => bench.client.send(new ListTrainingJobsCommand(input));
  expect((await list({})).TrainingJobSummaries).not.toEqual([]);
  expect((await list({ WarmPoolStatusEquals: 'Available' })).TrainingJobSummaries).toEqual([]);
  const TrainingPlanArnEquals = 'arn:aws:sagemaker:us-east-1:000000000000:training-plan/p';
  expect((await list({ TrainingPlanArnEquals })).TrainingJobSummaries).toEqual([]);
});

test('tags are added, listed in pages and deleted', async () => {
  await bench.createTraining('tagged', { Tags: [{ Key: 'run', Value: 'r1' }] });
  const { TrainingJobArn: ResourceArn } = await bench.trainingEnd('tagged');
  const added = ['a', 'b'].map((Key) => ({ Key, Value: 'v' }));
  await bench.client.send(new AddTagsCommand({ ResourceArn, Tags: added }));
  const first = await bench.client.send(new ListTagsCommand({ ResourceArn, MaxResults: 50 }));
  expect(first.Tags?.map(({ Key }) => Key)).toEqual(['run', 'a', 'b']);
  expect(first.NextToken).toBeUndefined();
  await bench.client.send(new DeleteTagsCommand({ ResourceArn, TagKeys: ['a', 'never there'] }));
  const left = await bench.client.send(new ListTagsCommand({ ResourceArn }));
  expect(left.Tags?.map(({ Key }) => Key)).toEqual(['run', 'b']);
  const gone = bench.client.send(new DeleteTagsCommand({ ResourceArn: `${ResourceArn}-x`, TagKeys: ['a'] }));
  await expect(gone).rejects.toMatchObject({ name: 'ValidationException' });
});

test('jobs are listed by name and status, in pages; an ended one can be deleted and its name reused', async () => {
  const list = (input: object) => bench.client.send(new ListTrainingJobsCommand(input));
  const names = (page: { TrainingJobSummaries?: { TrainingJobName?: string | undefined }[] | undefined }) =>
    page.TrainingJobSummaries?.map((job) => job.TrainingJobName);
  await bench.createTraining('list-b');
  await bench.createTraining('list-a');
  await bench.trainingEnd('list-b');
  await bench.trainingEnd('list-a');
  const query = { NameContains: 'list-', StatusEquals: 'Completed', SortBy: 'Name', SortOrder: 'Ascending' };
  const first = await list({ ...query, MaxResults: 1 });
  expect(names(first)).toEqual(['list-a']);
  const second = await list({ ...query, MaxResults: 1, NextToken: first.NextToken });
  expect(names(second)).toEqual(['list-b']);
  expect(second.NextToken).toBeUndefined();
  await expect(bench.createTraining('list-a')).rejects.toMatchObject({ name: 'ResourceInUse' });
  await bench.client.send(new DeleteTrainingJobCommand({ TrainingJobName: 'list-a' }));
  await expect(bench.describeTraining('list-a')).rejects.toMatchObject({ name: 'ValidationException' });
  await bench.createTraining('list-a');
  expect((await bench.trainingEnd('list-a')).TrainingJobStatus).toBe('Completed');
});
