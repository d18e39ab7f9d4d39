/** Filters, order and pages of the List operations. */
import { validationError } from '../errors.ts';

export interface ListRequest {
  readonly NameContains?: string;
  readonly StatusEquals?: string;
  readonly CreationTimeAfter?: number;
  readonly CreationTimeBefore?: number;
  readonly LastModifiedTimeAfter?: number;
  readonly LastModifiedTimeBefore?: number;
  readonly SortBy?: string;
  readonly SortOrder?: string;
  readonly MaxResults?: number;
  readonly NextToken?: string;
}

interface Listed {
  readonly name: string;
  readonly created: number;
  readonly modified?: number;
  readonly status?: string;
}

const DEFAULT_PAGE = 10;

/**
 * Returns one page of the matching entries. The token is the position of the next page.
 * @throws ServiceError ValidationException for an invalid token
 */
export function listPage<Entry extends Listed>(
  entries: readonly Entry[],
  request: ListRequest,
): { readonly page: Entry[]; readonly NextToken?: string } {
  return pageOf(entries.filter((entry) => matches(entry, request)).sort(order(request)), request);
}

/** Cuts one page out of a list, with the token of the next one. */
export function pageOf<Entry>(
  entries: readonly Entry[],
  request: Pick<ListRequest, 'MaxResults' | 'NextToken'>,
): { readonly page: Entry[]; readonly NextToken?: string } {
  const start = request.NextToken === undefined ? 0 : Number(request.NextToken);
  if (!Number.isInteger(start) || start < 0) throw validationError(`Invalid NextToken ${request.NextToken}.`);
  const end = start + (request.MaxResults ?? DEFAULT_PAGE);
  return { page: entries.slice(start, end), ...(end < entries.length && { NextToken: String(end) }) };
}

function matches(entry: Listed, request: ListRequest): boolean {
  const { NameContains: part, StatusEquals: status } = request;
  const modified = entry.modified ?? entry.created;
  return (
    (part === undefined || entry.name.toLowerCase().includes(part.toLowerCase())) &&
    (status === undefined || entry.status === status) &&
    within(entry.created, request.CreationTimeAfter, request.CreationTimeBefore) &&
    within(modified, request.LastModifiedTimeAfter, request.LastModifiedTimeBefore)
  );
}

function within(time: number, after: number | undefined, before: number | undefined): boolean {
  return (after === undefined || time >= after * 1000) && (before === undefined || time <= before * 1000);
}

/** The sort order of a request; by default the newest first. */
function order({ SortBy: by, SortOrder: direction }: ListRequest): (a: Listed, b: Listed) => number {
  const sign = direction === 'Ascending' ? 1 : -1;
  if (by === 'Name') return (a, b) => sign * a.name.localeCompare(b.name);
  if (by === 'Status') return (a, b) => sign * (a.status ?? '').localeCompare(b.status ?? '');
  return (a, b) => sign * (a.created - b.created);
}
