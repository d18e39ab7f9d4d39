/**
 * The permissions that each operation requires: AWS's action, resource, condition keys and dependent actions, as in the
 * Service Authorization Reference of SageMaker.
 */
import { type Call, type Needs, tagContext } from '../../iam/authorizer.ts';
import { arnOf, type ServiceContext } from '../operations/service-context.ts';
import type {
  InstancePreference,
  ModelRequest,
  Tag,
  TrainingRequest,
  TransformRequest,
} from '../state/requests.ts';
import { SAGEMAKER } from './platform-calls.ts';

type Keys = Record<string, string | string[]>;
type Kind = 'training-job' | 'transform-job' | 'model';
type Describe = (context: ServiceContext, request: never) => Needs;

/** Returns what an operation requires; undefined for an operation that does not exist. */
export function needsOf(operation: string, context: ServiceContext, request: unknown): Needs | undefined {
  return Object.hasOwn(NEEDS, operation) ? NEEDS[operation]?.(context, request as never) : undefined;
}

const NEEDS: Readonly<Record<string, Describe>> = {
  CreateTrainingJob: (context, request: TrainingRequest) => {
    const arn = arnOf(context, 'training-job', request.TrainingJobName);
    return creation('CreateTrainingJob', [arn], trainingKeys(request), request.Tags, request.RoleArn);
  },
  CreateModel: (context, request: ModelRequest) => {
    const arn = arnOf(context, 'model', request.ModelName);
    const keys = isolationKeys(request);
    return creation('CreateModel', [arn], keys, request.Tags, request.ExecutionRoleArn);
  },
  CreateTransformJob: (context, request: TransformRequest) => {
    const model = arnOf(context, 'model', request.ModelName);
    const arns = [arnOf(context, 'transform-job', request.TransformJobName), model];
    const { InstanceType, VolumeKmsKeyId } = request.TransformResources;
    const keys = {
      'sagemaker:InstanceTypes': [InstanceType],
      'sagemaker:ModelArn': model,
      ...(VolumeKmsKeyId && { 'sagemaker:VolumeKmsKey': VolumeKmsKeyId }),
    };
    return creation('CreateTransformJob', arns, keys, request.Tags);
  },
  ...onNamed('training-job', ['Describe', 'Stop', 'Delete'], 'TrainingJob'),
  ...onNamed('transform-job', ['Describe', 'Stop'], 'TransformJob'),
  ...onNamed('model', ['Describe', 'Delete'], 'Model'),
  ...Object.fromEntries(
    ['ListTrainingJobs', 'ListTransformJobs', 'ListModels'].map((name) => [
      name,
      (): Needs => ({ calls: [{ action: `sagemaker:${name}`, resource: '*' }] }),
    ]),
  ),
  ...Object.fromEntries(['AddTags', 'DeleteTags', 'ListTags'].map((name) => [name, onTags(name)])),
};

/** The permissions to create something: on each resource, and for the role and the tags that it gets. */
function creation(
  name: string,
  arns: readonly string[],
  keys: Keys,
  tags: readonly Tag[] = [],
  role?: string,
): Needs {
  const source = arns[0] ?? '';
  const tagged = tagContext(tags.map(({ Key, Value }) => ({ key: Key, value: Value })));
  const calls: Call[] = arns.map((resource) => ({
    action: `sagemaker:${name}`,
    resource,
    context: { ...keys, ...tagged },
  }));
  if (tags.length > 0) calls.push({ action: 'sagemaker:AddTags', resource: source, context: tagged });
  if (role === undefined) return { calls };
  calls.push({ action: 'iam:PassRole', resource: role, context: { 'iam:PassedToService': SAGEMAKER } });
  return { calls, passes: { service: SAGEMAKER, role, source } };
}

function trainingKeys(request: TrainingRequest): Keys {
  const { ResourceConfig: resources, StoppingCondition: limits } = request;
  const { VolumeKmsKeyId, KeepAlivePeriodInSeconds } = resources;
  const { KmsKeyId } = request.OutputDataConfig as { readonly KmsKeyId?: string };
  const types = instanceTypes(resources);
  return {
    ...isolationKeys(request),
    ...(types.length > 0 && { 'sagemaker:InstanceTypes': types }),
    ...(limits.MaxRuntimeInSeconds !== undefined && {
      'sagemaker:MaxRuntimeInSeconds': String(limits.MaxRuntimeInSeconds),
    }),
    ...(VolumeKmsKeyId && { 'sagemaker:VolumeKmsKey': VolumeKmsKeyId }),
    ...(KmsKeyId && { 'sagemaker:OutputKmsKey': KmsKeyId }),
    ...(KeepAlivePeriodInSeconds !== undefined && {
      'sagemaker:KeepAlivePeriod': String(KeepAlivePeriodInSeconds),
    }),
  };
}

/** Every type that the job may get. */
function instanceTypes({
  InstanceType,
  InstanceGroups = [],
  InstancePreferences = [],
}: TrainingRequest['ResourceConfig']): string[] {
  const others = [...InstanceGroups, ...InstancePreferences] as InstancePreference[];
  return [...(InstanceType ? [InstanceType] : []), ...others.map((one) => one.InstanceType)];
}

/** Keys that are missing where the request does not have the member: a condition on them is then not met. */
function isolationKeys(request: TrainingRequest | ModelRequest): Keys {
  const { EnableNetworkIsolation: isolated } = request;
  const { EnableInterContainerTrafficEncryption: encrypted, VpcConfig: vpc } = request as {
    readonly EnableInterContainerTrafficEncryption?: boolean;
    readonly VpcConfig?: { readonly Subnets?: string[]; readonly SecurityGroupIds?: string[] };
  };
  return {
    ...(isolated !== undefined && { 'sagemaker:NetworkIsolation': String(isolated) }),
    ...(encrypted !== undefined && { 'sagemaker:InterContainerTrafficEncryption': String(encrypted) }),
    ...(vpc?.Subnets && { 'sagemaker:VpcSubnets': vpc.Subnets }),
    ...(vpc?.SecurityGroupIds && { 'sagemaker:VpcSecurityGroupIds': vpc.SecurityGroupIds }),
  };
}

function onNamed(kind: Kind, verbs: readonly string[], suffix: string): Record<string, Describe> {
  const describe =
    (name: string): Describe =>
    (context, request) => {
      const resource = arnOf(context, kind, (request as Record<string, string>)[`${suffix}Name`] ?? '');
      return { calls: [{ action: `sagemaker:${name}`, resource, context: resourceTags(context, resource) }] };
    };
  return Object.fromEntries(verbs.map((verb) => [`${verb}${suffix}`, describe(`${verb}${suffix}`)]));
}

function onTags(name: string): Describe {
  return (context, request: { readonly ResourceArn: string; readonly Tags?: readonly Tag[] }) => {
    const { ResourceArn: resource, Tags: tags = [] } = request;
    const added = tagContext(tags.map(({ Key, Value }) => ({ key: Key, value: Value })));
    const { TagKeys: removed } = request as { readonly TagKeys?: string[] };
    const keys = {
      ...resourceTags(context, resource),
      ...added,
      ...(removed && { 'aws:TagKeys': removed }),
    };
    return { calls: [{ action: `sagemaker:${name}`, resource, context: keys }] };
  };
}

function resourceTags({ state }: ServiceContext, arn: string): Record<string, string> {
  const name = arn.slice(arn.lastIndexOf('/') + 1);
  const found = [state.trainingJobs, state.transformJobs, state.models]
    .map((store) => store.get(name))
    .find((record) => record?.arn === arn);
  return Object.fromEntries((found?.tags ?? []).map(({ Key, Value }) => [`aws:ResourceTag/${Key}`, Value]));
}
