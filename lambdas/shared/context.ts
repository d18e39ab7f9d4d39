/**
 * The parts of the stack as lambdas reach them, from their environment. Each part is a function of its own, so that a
 * lambda's bundle has the clients and reads the settings of the parts that it uses, and no others.
 */
import { ecr, s3, sagemaker, sfn, sns } from '../../lib/aws/clients.ts';
import type { ExecutionsContext } from '../../lib/aws/executions.ts';
import type { ImagesContext } from '../../lib/aws/images.ts';
import type { JobsContext } from '../../lib/aws/jobs.ts';
import type { NotificationsContext } from '../../lib/aws/notifications.ts';
import type { BucketContext } from '../../lib/aws/s3.ts';
import { setting } from './settings.ts';

export const bucketContext = (): BucketContext => bucketNamed(setting('BUCKET'));

/** For a lambda whose event names the bucket. */
export const bucketNamed = (bucket: string): BucketContext => ({ s3: s3(), bucket });

export const jobsContext = (): JobsContext => ({ sagemaker: sagemaker() });

export const imagesContext = (): ImagesContext => ({ ecr: ecr() });

export const executionsContext = (): ExecutionsContext => ({ sfn: sfn() });

export const notificationsContext = (): NotificationsContext => ({ sns: sns(), topic: setting('TOPIC_ARN') });
