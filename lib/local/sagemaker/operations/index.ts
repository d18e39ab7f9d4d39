/** The supported operations, by their names in the protocol. */
import { createModel, deleteModel, describeModel, listModels } from './models.ts';
import type { Operation } from './service-context.ts';
import { addTags, deleteTags, listTags } from './tags.ts';
import {
  createTrainingJob,
  deleteTrainingJob,
  describeTrainingJob,
  listTrainingJobs,
  stopTrainingJob,
} from './training-jobs.ts';
import {
  createTransformJob,
  describeTransformJob,
  listTransformJobs,
  stopTransformJob,
} from './transform-jobs.ts';

export const operations: Readonly<Record<string, Operation>> = {
  CreateTrainingJob: createTrainingJob,
  DescribeTrainingJob: describeTrainingJob,
  StopTrainingJob: stopTrainingJob,
  ListTrainingJobs: listTrainingJobs,
  DeleteTrainingJob: deleteTrainingJob,
  CreateModel: createModel,
  DescribeModel: describeModel,
  DeleteModel: deleteModel,
  ListModels: listModels,
  CreateTransformJob: createTransformJob,
  DescribeTransformJob: describeTransformJob,
  StopTransformJob: stopTransformJob,
  ListTransformJobs: listTransformJobs,
  AddTags: addTags,
  ListTags: listTags,
  DeleteTags: deleteTags,
};
