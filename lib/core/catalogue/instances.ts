/** The instance types: a row of data each, with their prices. */
import { z } from 'zod';
import { ProxytuneError } from '../errors.ts';
import data from './data/instances.json' with { type: 'json' };

const instanceRow = z.strictObject({
  usdPerHour: z.number(),
  gpu: z.string().nullable(),
  gpuGiB: z.number(),
  gpus: z.int(),
  cpus: z.int(),
  memoryGiB: z.number(),
  nvme: z.boolean(),
  training: z.boolean(),
  transform: z.boolean(),
});
export interface Instance extends z.infer<typeof instanceRow> {
  readonly type: string;
}

const instances: ReadonlyMap<string, Instance> = new Map(
  Object.entries(data.types).map(([type, row]) => [type, { type, ...instanceRow.parse(row) }]),
);

/** When and where the prices were read. */
export const PRICES_AS_OF = `${data.asOf}, ${data.region}`;

/** Share of the list price that a managed-spot job usually saves; nobody promises it. */
export const SPOT_SAVING = data.spot.saving;

/** The row of an instance type. @throws RequestInvalid when the catalogue lacks it */
export function instance(type: string): Instance {
  const row = instances.get(type);
  if (row === undefined) {
    throw new ProxytuneError('RequestInvalid', {
      what: 'The catalogue holds no such instance type',
      given: type,
      allowed: [...instances.keys()].join(', '),
      remedy: 'choose one of these, or add a row to lib/core/catalogue/data/instances.json',
    });
  }
  return row;
}

export function instanceTypes(): string[] {
  return [...instances.keys()];
}
