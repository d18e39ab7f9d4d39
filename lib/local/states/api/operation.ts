import type { Registry } from '../registry.ts';
import type { Request } from './request.ts';

/** The members of a response. */
export type ApiResponse = Readonly<Record<string, unknown>>;

/** An operation of the API, from request members to response members. */
export type Operation = (request: Request, registry: Registry) => ApiResponse;

/** Runs an operation by its name; returns undefined if there is no such operation. */
export type Api = (operation: string, request: Request) => ApiResponse | undefined;
