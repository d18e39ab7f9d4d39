import { validationError } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';

/** The members of a request, checked against the limits of the API reference. */
export class Request {
  readonly #members: JsonObject;

  constructor(members: JsonObject) {
    this.#members = members;
  }

  /** The raw member; undefined if absent or null, which AWS JSON treats alike. */
  get(name: string): Json | undefined {
    return this.#members[name] ?? undefined;
  }

  /** @throws ApiError ValidationException */
  text(name: string, maxLength: number, minLength = 1): string {
    const value = this.optionalText(name, maxLength, minLength);
    if (value === undefined) throw constraint(name, null, 'Member must not be null');
    return value;
  }

  /** @throws ApiError ValidationException */
  optionalText(name: string, maxLength: number, minLength = 0): string | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') throw constraint(name, value, 'Member must be a string');
    if (value.length > maxLength)
      throw constraint(name, value, `Member must have length less than or equal to ${maxLength}`);
    if (value.length < minLength)
      throw constraint(name, value, `Member must have length greater than or equal to ${minLength}`);
    return value;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.get(name) ?? fallback;
    if (typeof value !== 'boolean') throw constraint(name, value, 'Member must be a boolean');
    return value;
  }

  /** Rejects a member that this service does not support. @throws ApiError ValidationException */
  reject(name: string, why: string): void {
    const value = this.get(name);
    if (value !== undefined && value !== false) throw constraint(name, value, why);
  }

  /**
   * Returns the page of a list that maxResults and nextToken select.
   * @throws ApiError ValidationException
   */
  page<T>(items: readonly T[]): { page: T[]; nextToken?: string } {
    const requested = this.get('maxResults') ?? 0;
    if (!Number.isInteger(requested) || (requested as number) < 0 || (requested as number) > 1000) {
      throw constraint('maxResults', requested, 'Member must be a whole number from 0 to 1000');
    }
    const size = (requested as number) || 100;
    const token = this.optionalText('nextToken', 1024) ?? '0';
    const start = Number(token);
    if (!/^\d+$/.test(token) || start > items.length)
      throw constraint('nextToken', token, 'Member must be a token returned by a previous page');
    const end = start + size;
    return { page: items.slice(start, end), ...(end < items.length && { nextToken: String(end) }) };
  }
}

function constraint(name: string, value: Json, rule: string): Error {
  const shown = JSON.stringify(value).slice(0, 200);
  return validationError(
    `1 validation error detected: Value ${shown} at '${name}' failed to satisfy constraint: ${rule}`,
  );
}
