/** A row of the table of permissions. */
import type { Conditions } from '../grants.ts';
import type { OneOrMore } from '../policies.ts';

interface Common {
  /** A role by the name of its lambda, `jobs`, `import` or `machine`; a service; or `anyone`. */
  readonly who: OneOrMore<string>;
  readonly on: OneOrMore<string>;
  /** By operator and key. @default - in every case */
  readonly if?: Conditions;
  readonly why: string;
}

/** Each of `who` may do (or may not do, whatever else allows it) each action on each resource. */
export type Row = Common &
  (
    | { readonly may: OneOrMore<string>; readonly mayNot?: undefined }
    | { readonly mayNot: OneOrMore<string>; readonly may?: undefined }
  );

/** Objects of the bucket whose keys match a pattern, in which `*` is any text, including `/`. */
export const objects = (...patterns: string[]): string[] => patterns.map((pattern) => `bucket/${pattern}`);

/** The condition that a listing is below prefixes that match a pattern. */
export const below = (...patterns: string[]): Conditions => ({ 'StringLike s3:prefix': patterns });
