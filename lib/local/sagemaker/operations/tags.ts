/** AddTags, ListTags and DeleteTags, for jobs and models. */
import { validationError } from '../errors.ts';
import { applyRules, tagKeysAreUnique } from '../rules/rule.ts';
import type { Tag } from '../state/requests.ts';
import { pageOf } from './listing.ts';
import type { Response, ServiceContext } from './service-context.ts';

const MOST_TAGS = 50;

interface Tagged {
  readonly arn: string;
  tags: Tag[];
}

export function addTags(
  context: ServiceContext,
  request: { readonly ResourceArn: string; readonly Tags: readonly Tag[] },
): Response {
  applyRules([tagKeysAreUnique], request);
  const { resource, save } = taggedResource(context, request.ResourceArn);
  const merged = new Map([...resource.tags, ...request.Tags].map((tag) => [tag.Key, tag]));
  if (merged.size > MOST_TAGS) {
    throw validationError(
      `${request.ResourceArn} would have ${merged.size} tags; at most ${MOST_TAGS} are allowed.`,
    );
  }
  resource.tags = [...merged.values()];
  save();
  return { Tags: resource.tags };
}

export function deleteTags(
  context: ServiceContext,
  request: { readonly ResourceArn: string; readonly TagKeys: readonly string[] },
): Response {
  const { resource, save } = taggedResource(context, request.ResourceArn);
  resource.tags = resource.tags.filter(({ Key }) => !request.TagKeys.includes(Key));
  save();
  return {};
}

export function listTags(
  context: ServiceContext,
  request: { readonly ResourceArn: string; readonly MaxResults?: number; readonly NextToken?: string },
): Response {
  const { resource } = taggedResource(context, request.ResourceArn);
  const { page, NextToken } = pageOf(resource.tags, { MaxResults: MOST_TAGS, ...request });
  return { Tags: page, NextToken };
}

function taggedResource(context: ServiceContext, arn: string): { resource: Tagged; save: () => void } {
  const name = arn.slice(arn.lastIndexOf('/') + 1);
  const { trainingJobs, transformJobs, models } = context.state;
  for (const store of [trainingJobs, transformJobs, models] as const) {
    const resource = store.get(name);
    if (resource?.arn === arn) return { resource, save: () => store.put(resource as never) };
  }
  throw validationError(`Could not find resource ${arn}.`);
}
