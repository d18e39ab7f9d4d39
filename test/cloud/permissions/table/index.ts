/**
 * Everything that anyone may do in a deployed stack, written by hand. A policy that says more or less fails the tests,
 * so a change of a permission is a change of a row, with its reason.
 */
import { DEPLOYMENT } from './deployment.ts';
import { EVENTS } from './events.ts';
import { JOBS } from './jobs.ts';
import { LAMBDAS } from './lambdas.ts';
import type { Row } from './row.ts';
import { TRUST } from './trust.ts';

export const TABLE: readonly Row[] = [...LAMBDAS, ...JOBS, ...EVENTS, ...TRUST];

/** With the lambdas that only settings add. */
export const TABLE_WITH_ALL_SETTINGS: readonly Row[] = [...TABLE, ...DEPLOYMENT];
