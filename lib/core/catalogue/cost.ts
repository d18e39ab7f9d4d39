/** The price of time. Prices are data (data/instances.json); billing is per second. */
import type { Instance } from './instances.ts';

/** Price of `seconds` on `count` instances, in USD, to a hundredth of a cent. */
export function usdFor(seconds: number, on: Instance, count = 1): number {
  return Number(((seconds / 3600) * on.usdPerHour * count).toFixed(4));
}
