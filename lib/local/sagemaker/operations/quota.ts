/** The quotas that a new job needs, compared with what active jobs use. */
import {
  ALL_TRAINING,
  ALL_TRANSFORM,
  type Demand,
  LONGEST_TRAINING,
  usageQuota,
} from '../../service-quotas/quotas.ts';
import { ServiceError } from '../errors.ts';
import { DEFAULT_MAX_RUNTIME_SECONDS } from '../rules/training.ts';
import { isTerminal } from '../state/records.ts';
import type { TrainingRequest, TransformRequest } from '../state/requests.ts';
import type { ServiceContext } from './service-context.ts';

interface Share {
  readonly type: string;
  readonly count: number;
  readonly spot: boolean;
}

/** @throws ServiceError ResourceLimitExceeded */
export function requireTrainingQuota(context: ServiceContext, request: TrainingRequest): void {
  const active = context.state.trainingJobs.all().filter(({ status }) => !isTerminal(status));
  const shares = active.map((job) => shareOf(job.request));
  const wanted = shareOf(request);
  const own = usageQuota(wanted.type, wanted.spot ? 'spot training job' : 'training job');
  requireQuota(context, [
    {
      name: LONGEST_TRAINING.name,
      used: 0,
      asked: request.StoppingCondition.MaxRuntimeInSeconds ?? DEFAULT_MAX_RUNTIME_SECONDS,
    },
    { name: own.name, used: sum(shares.filter((share) => isLike(share, wanted))), asked: wanted.count },
    { name: ALL_TRAINING.name, used: sum(shares), asked: wanted.count },
  ]);
}

/** @throws ServiceError ResourceLimitExceeded */
export function requireTransformQuota(context: ServiceContext, request: TransformRequest): void {
  const active = context.state.transformJobs.all().filter(({ status }) => !isTerminal(status));
  const shares = active.map((job) => transformShare(job.request));
  const wanted = transformShare(request);
  requireQuota(context, [
    {
      name: usageQuota(wanted.type, 'transform job').name,
      used: sum(shares.filter((share) => isLike(share, wanted))),
      asked: wanted.count,
    },
    { name: ALL_TRANSFORM.name, used: sum(shares), asked: wanted.count },
  ]);
}

function requireQuota({ quotas }: ServiceContext, demands: readonly Demand[]): void {
  const refusal = quotas.refusal(demands);
  if (refusal !== undefined) throw new ServiceError('ResourceLimitExceeded', refusal);
}

function shareOf({
  ResourceConfig: resources,
  EnableManagedSpotTraining: spot = false,
}: TrainingRequest): Share {
  const preferred = resources.InstancePreferences?.[0];
  const type = resources.InstanceType ?? preferred?.InstanceType ?? '';
  return { type, count: resources.InstanceCount ?? preferred?.InstanceCount ?? 1, spot };
}

function transformShare({ TransformResources: resources }: TransformRequest): Share {
  return { type: resources.InstanceType, count: resources.InstanceCount, spot: false };
}

const isLike = (share: Share, wanted: Share) => share.type === wanted.type && share.spot === wanted.spot;

const sum = (shares: readonly Share[]) => shares.reduce((total, { count }) => total + count, 0);
