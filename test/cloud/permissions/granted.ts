/** The permissions in the synthesized template, for tests of single permissions. */

import { synthesize, type Template } from '../synthesize.ts';
import { type Conditions, type Grant, grantsOf } from './grants.ts';
import { list, policiesOf } from './policies.ts';

const { data, template } = synthesize();
export const templates: readonly Template[] = [data, template];
const ADOPTED = { bucketName: 'left-behind', tableName: 'Runs-of-before' };

/**
 * The templates of a deployment that adopts its data and sets the retention of the logs of jobs, which adds lambdas,
 * and the lambda of one that deletes its data, which excludes the former. A reference takes the place of a name of adopted data, so that one table describes both deployments.
 */
export function templatesWithAllSettings(): readonly Template[] {
  const synthesis = synthesize({ ...ADOPTED, jobLogRetentionDays: '30' });
  return [synthesis.data, synthesis.template, emptying()].map((one) =>
    JSON.parse(
      JSON.stringify(one)
        // biome-ignore lint/suspicious/noTemplateCurlyInString: references, as text
        .replaceAll(ADOPTED.bucketName, '${Data}')
        // biome-ignore lint/suspicious/noTemplateCurlyInString: references, as text
        .replaceAll(ADOPTED.tableName, '${Runs}'),
    ),
  );
}

/** The lambda that empties the bucket, and the bucket, without the rest of their template. */
function emptying(): Template {
  const { data } = synthesize({ removeData: 'true' });
  const own = Object.entries(data.Resources).filter(
    ([id, { Type }]) => id.startsWith('DataEmptied') || Type === 'AWS::S3::Bucket',
  );
  return { Outputs: {}, Resources: Object.fromEntries(own) };
}

export const GRANTS: readonly Grant[] = templates.flatMap(policiesOf).flatMap(grantsOf);

/** The permissions of a role, by the name that the table has for it. */
export function grantsTo(who: string): Grant[] {
  return GRANTS.filter((grant) => grant.who === who && grant.effect === 'may');
}

export const unique = (values: readonly string[]): string[] => [...new Set(values)].sort();

export function actionsOf(who: string): string[] {
  return unique(grantsTo(who).map(({ action }) => action));
}

/** The patterns of the keys for which a role is allowed an action. */
export function keyPatterns(who: string, action: string): string[] {
  const resources = grantsTo(who)
    .filter((grant) => grant.action === action)
    .map(({ on }) => on);
  return unique(resources).map((resource) => resource.replace(/^bucket\//, ''));
}

/** The conditions of an action, which a role is allowed in one way only. */
export function conditionsOf(who: string, action: string): Conditions | undefined {
  return grantsTo(who).find((grant) => grant.action === action)?.if;
}

/** The patterns of the prefixes that a role may list. */
export function listed(who: string): string[] {
  return list(conditionsOf(who, 's3:ListBucket')?.['StringLike s3:prefix']);
}

/** Matches as IAM does: `*` is any text, including `/`. */
export function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
}
