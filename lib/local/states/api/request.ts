import { validationError } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';

/** A request's members, read with the limits of the API reference. */
export class Request {
  readonly #members: JsonObject;

  constructor(members: JsonObject) {
    this.#members = members;
  }

  /** The member as it came; undefined when absent or null, which AWS JSON treats alike. */
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

  flag(name: string, otherwise: boolean): boolean {
    const value = this.get(name) ?? otherwise;
    if (typeof value !== 'boolean') throw constraint(name, value, 'Member must be a boolean');
    return value;
  }

  /** @throws ApiError ValidationException for a member that this service would have to ignore */
  refuse(name: string, why: string): void {
    const value = this.get(name);
    if (value !== undefined && value !== false) throw constraint(name, value, why);
  }

  /**
   * Cuts a list into the page that maxResults and nextToken ask for.
   * @throws ApiError ValidationException, or InvalidToken for a nextToken that no page gave
   */
  page<T>(items: readonly T[]): { page: T[]; nextToken?: string } {
    const asked = this.get('maxResults') ?? 0;
    if (!Number.isInteger(asked) || (asked as number) < 0 || (asked as number) > 1000) {
      throw constraint('maxResults', asked, 'Member must be a whole number from 0 to 1000');
    }
    const size = (asked as number) || 100;
    const token = this.optionalText('nextToken', 1024) ?? '0';
    const start = Number(token);
    if (!/^\d+$/.test(token) || start > items.length)
      throw constraint('nextToken', token, 'Member must be a token that a page gave');
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
