/** The permissions of the lambdas on the objects of the bucket. */

import { below, objects, type Row } from './row.ts';

export const LAMBDA_DATA: readonly Row[] = [
  {
    who: 'plan-run',
    may: ['s3:GetObject', 's3:GetObjectVersion'],
    on: objects('subjects/*/subject.json'),
    why: 'reads the request, in the version that was uploaded',
  },
  {
    who: 'plan-run',
    may: 's3:ListBucket',
    on: 'bucket',
    if: below('models/*', 'subjects/*/subject.json'),
    why: 'compares the files of a model with its manifest, and sees that the request was not deleted',
  },
  {
    who: ['plan-run', 'start-job'],
    may: 's3:GetObject',
    on: objects('models/*/manifest.json'),
    why: 'reads what a model consists of, to plan with it and to see that it is still the planned one',
  },
  {
    who: 'plan-run',
    may: 's3:PutObject',
    on: objects('runs/*/plan.json', 'intermediates/*/chunks/*'),
    why: 'writes the plan and one object for each chunk of images',
  },
  {
    who: 'inspect-photos',
    may: 's3:GetObject',
    on: objects('subjects/*/photos/*'),
    why: 'decodes the photos; nobody else reads them',
  },
  {
    who: 'inspect-photos',
    may: 's3:ListBucket',
    on: 'bucket',
    if: below('subjects/*', 'intermediates/*/references/*'),
    why: 'finds the photos, also under a mistaken name, and references that an earlier call left',
  },
  {
    who: 'inspect-photos',
    may: ['s3:PutObject', 's3:DeleteObject'],
    on: objects('intermediates/*/references/*'),
    why: 'writes the references and its findings, and deletes those of an earlier call',
  },
  {
    who: ['start-job', 'decide-round', 'publish-run'],
    may: 's3:GetObject',
    on: objects('runs/*/plan.json'),
    why: 'reads the plan of the run',
  },
  {
    who: 'start-job',
    may: 's3:ListBucket',
    on: 'bucket',
    if: below('intermediates/*', 'runs/*/pictures/*', 'class-images/*', 'models/*'),
    why: 'finds images that exist already, class images that can be reused, changed models, and inputs that have expired',
  },
  {
    who: 'start-job',
    may: 's3:GetObject',
    on: objects('intermediates/*/references/findings.json'),
    why: 'reads the digest of the photos, to see whether the same request has a run already',
  },
  {
    who: 'start-job',
    may: 's3:PutObject',
    on: objects('runs/*/manifests/*'),
    why: 'writes the list of chunks that are missing',
  },
  {
    who: ['complete-job', 'reconcile-job'],
    may: 's3:ListBucket',
    on: 'bucket',
    if: below('intermediates/*/pictures/*', 'runs/*/pictures/*', 'runs/*/failures/*'),
    why: 'counts the images of a job that is over, and finds its error',
  },
  {
    who: ['complete-job', 'reconcile-job'],
    may: 's3:GetObject',
    on: objects('runs/*/failures/*'),
    why: 'reads the error that the container wrote',
  },
  {
    who: ['decide-round', 'publish-run'],
    may: 's3:GetObject',
    on: objects('runs/*/jobs/*'),
    why: 'reads the scores of the proxies, and copies the report',
  },
  {
    who: 'decide-round',
    may: 's3:PutObject',
    on: objects('runs/*/curation/*'),
    why: 'writes which proxies are kept',
  },
  {
    who: 'publish-run',
    may: 's3:GetObject',
    on: objects('intermediates/*/checkpoints/teach/class-images/images.tar'),
    why: 'copies the class images that the teacher generated, for later runs',
  },
  {
    who: 'publish-run',
    may: 's3:ListBucket',
    on: 'bucket',
    if: below('runs/*/jobs/*', 'intermediates/*/checkpoints/teach/class-images/images.tar', 'class-images/*'),
    why: 'finds the files of the report, and whether class images are kept already',
  },
  {
    who: 'publish-run',
    may: 's3:PutObject',
    on: objects('runs/*/report/*', 'class-images/*'),
    why: 'writes the report and the class images',
  },
];
