import type { Registry } from '../registry.ts';
import type { Request } from './request.ts';

/** The members of a response. */
export type ApiResponse = Readonly<Record<string, unknown>>;

/** One operation of the API: the request's members in, the response's out. */
export type Operation = (request: Request, registry: Registry) => ApiResponse;

/** Answers a request by the operation's name; undefined when there is no such operation. */
export type Api = (operation: string, request: Request) => ApiResponse | undefined;
