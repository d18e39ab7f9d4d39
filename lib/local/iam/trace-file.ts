/** The file of a trace: raw lines while the cloud runs, the normalized trace once it has ended. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { formatTrace, type LogicalIds, normalizeTrace, parseTrace } from './trace.ts';

/** The file to which the emulator appends. */
export function rawTrace(file: string): string {
  return `${file}.raw`;
}

/** Replaces the raw lines by the normalized trace. */
export function finishTrace(file: string, ids: LogicalIds): void {
  const raw = rawTrace(file);
  const calls = existsSync(raw) ? parseTrace(readFileSync(raw, 'utf8')) : [];
  writeFileSync(file, formatTrace(normalizeTrace(calls, ids)));
  rmSync(raw, { force: true });
}
