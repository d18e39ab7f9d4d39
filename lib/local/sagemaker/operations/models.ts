/** Operations on models. */
import { validationError } from '../errors.ts';
import { containersOf, modelRules } from '../rules/model.ts';
import { applyRules } from '../rules/rule.ts';
import type { ModelRecord } from '../state/records.ts';
import type { ModelRequest } from '../state/requests.ts';
import { parseLocation } from '../transfer/location.ts';
import { type ListRequest, listPage } from './listing.ts';
import { arnOf, type Response, type ServiceContext, seconds } from './service-context.ts';

interface Named {
  readonly ModelName: string;
}

export async function createModel(context: ServiceContext, request: ModelRequest): Promise<Response> {
  applyRules(modelRules, request);
  const arn = arnOf(context, 'model', request.ModelName);
  const access = await context.roles.of(request.ExecutionRoleArn, arn);
  for (const { ModelDataUrl: url } of containersOf(request)) {
    if (!url) continue;
    const found = await access.objects.exists(parseLocation(url)).catch((error) => {
      throw validationError(
        `Could not access model data at ${url}. Please ensure that the role "${request.ExecutionRoleArn}" has ` +
          `"s3:GetObject" permissions. (${error})`,
      );
    });
    if (!found) throw validationError(`Could not find model data at ${url}.`);
  }
  if (context.state.models.get(request.ModelName)) {
    throw validationError(`Cannot create already existing model "${arn}".`);
  }
  const tags = [...(request.Tags ?? [])];
  context.state.models.put({ name: request.ModelName, arn, request, created: Date.now(), tags });
  return { ModelArn: arn };
}

export function describeModel(context: ServiceContext, { ModelName: name }: Named): Response {
  const model = modelNamed(context, name);
  return {
    ...model.request,
    ModelArn: model.arn,
    CreationTime: seconds(model.created),
    EnableNetworkIsolation: model.request.EnableNetworkIsolation ?? false,
  };
}

export function deleteModel(context: ServiceContext, { ModelName: name }: Named): Response {
  context.state.models.delete(modelNamed(context, name).name);
  return {};
}

export function listModels(context: ServiceContext, request: ListRequest): Response {
  const { page, NextToken } = listPage(context.state.models.all(), request);
  return {
    Models: page.map((model) => ({
      ModelName: model.name,
      ModelArn: model.arn,
      CreationTime: seconds(model.created),
    })),
    NextToken,
  };
}

/** @throws ServiceError ValidationException if the model does not exist */
export function modelNamed(context: ServiceContext, name: string): ModelRecord {
  const model = context.state.models.get(name);
  if (!model) throw validationError(`Could not find model "${arnOf(context, 'model', name)}".`);
  return model;
}
