/** A JSON value, the only kind of data in a state machine. */
export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

/** The largest input, output, argument or assignment of a state, in UTF-8 bytes (Step Functions quota). */
export const MAX_PAYLOAD_BYTES = 262_144;

/** True for a JSON object, false for arrays and null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The length of a text in UTF-8 bytes, the unit of Step Functions' quotas. */
export function textBytes(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

/**
 * Parses JSON text.
 * @returns the value, or undefined if the text is not JSON (which has no undefined)
 */
export function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
