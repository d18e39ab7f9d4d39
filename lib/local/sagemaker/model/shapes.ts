/** The part of the official API model our service reads (made by extract-model.ts). */
import { readFileSync } from 'node:fs';

/** One shape: members name other shapes; bounds are lengths for strings, lists and maps, values for numbers. */
export interface Shape {
  readonly type: string;
  readonly required?: readonly string[];
  readonly members?: Readonly<Record<string, string>>;
  readonly member?: string;
  readonly key?: string;
  readonly value?: string;
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
}

export interface ApiModel {
  readonly source: string;
  readonly targetPrefix: string;
  readonly operations: Readonly<Record<string, { readonly input: string; readonly output?: string }>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}

export const apiModel: ApiModel = JSON.parse(
  readFileSync(new URL('../data/api-model.json', import.meta.url), 'utf8'),
);

/**
 * The shape of this name.
 * @throws Error when the extracted model lacks it, which only a broken extraction can cause.
 */
export function shapeNamed(name: string): Shape {
  const shape = apiModel.shapes[name];
  if (!shape) throw new Error(`data/api-model.json has no shape ${name}: run extract-model.ts again.`);
  return shape;
}
