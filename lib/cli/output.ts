/** The output of a command: for people on a terminal, plain lines elsewhere, JSON with --json. */
import { styleText } from 'node:util';
import { callError } from '../aws/errors.ts';
import { exitCode, ProxytuneError } from '../core/errors.ts';

export interface Output {
  readonly json: boolean;
  /** Lines may be redrawn and coloured. */
  readonly terminal: boolean;
  /** Stack traces are shown. */
  readonly debug: boolean;
  /** A line for people; nothing under --json. */
  say(line: string): void;
  /** The result as data, one line; nothing without --json. */
  data(value: unknown): void;
  write(text: string): void;
}

export function makeOutput(options: { json?: boolean; debug?: boolean }): Output {
  const json = options.json ?? false;
  return {
    json,
    terminal: !json && process.stdout.isTTY === true,
    debug: options.debug ?? false,
    say(line) {
      if (!json) process.stdout.write(`${line}\n`);
    },
    data(value) {
      if (json) process.stdout.write(`${JSON.stringify(value)}\n`);
    },
    write(text) {
      process.stdout.write(text);
    },
  };
}

type Style = Parameters<typeof styleText>[0];

/** Coloured on a terminal that wants colours; NO_COLOR and pipes get plain text. */
export function paint(output: Output, style: Style, text: string): string {
  return output.terminal ? styleText(style, text) : text;
}

/**
 * Prints an error as what, given, allowed and remedy, each on its line; no stack trace unless --debug.
 * @returns its exit code
 */
export function printError(error: unknown, options: { json?: boolean; debug?: boolean }): number {
  const named = asNamedError(error);
  const { name, message, stack } = named;
  if (options.json) process.stdout.write(`${JSON.stringify({ error: name, message })}\n`);
  else process.stderr.write(`${lines(named, name, message)}\n`);
  if (options.debug) process.stderr.write(`${stack}\n`);
  return exitCode(name);
}

/** Errors of the operating system and of AWS as named errors; others as they are. */
function asNamedError(error: unknown): Error {
  const cause = error instanceof Error ? error : new Error(String(error));
  const { code = '', message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ProxytuneError('OutOfDisk', {
      what: 'The disk is full',
      given: message,
      remedy: 'free some space, or choose a folder on another disk with --data, then retry',
      cause,
    });
  }
  const call = callError(cause);
  if (call !== undefined) return call;
  // The SDK's wrapper keeps the code only in its message.
  if (/\bECONN(REFUSED|RESET)\b/.test(`${code} ${message}`)) {
    return new ProxytuneError('LocalCloudFailed', {
      what: 'A service of the local cloud ended while it was in use',
      given: message,
      remedy: 'read emulator/emulator.log and cloud.log in the data folder, then retry',
      cause,
    });
  }
  return cause;
}

function lines(error: unknown, name: string, message: string): string {
  if (!(error instanceof ProxytuneError))
    return `${name}: ${message}`.replace(/ (Given|Allowed|What to do): /g, '\n  $1: ');
  const { what, given, allowed, remedy } = error.facts;
  // An error that came from the cloud has one text that holds all of it.
  if (remedy === '') return `${name}: ${message}`.replace(/ (Given|Allowed|What to do): /g, '\n  $1: ');
  return [
    `${name}: ${what}`,
    given === undefined ? '' : `  Given: ${given}`,
    allowed === undefined ? '' : `  Allowed: ${allowed}`,
    `  What to do: ${remedy}`,
  ]
    .filter(Boolean)
    .join('\n');
}

/** `75` as `1 min 15 s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
}

/** `13.8 GiB`, `605 MiB`, `12 KiB`. */
export function fileSize(bytes: number): string {
  const [unit, name] =
    bytes >= 2 ** 30 ? [2 ** 30, 'GiB'] : bytes >= 2 ** 20 ? [2 ** 20, 'MiB'] : [2 ** 10, 'KiB'];
  const amount = bytes / unit;
  return `${amount < 10 ? amount.toFixed(1) : Math.round(amount)} ${name}`;
}

export function dollars(usd: number): string {
  return usd < 0.01 ? `$${usd.toFixed(4)}` : `$${usd.toFixed(2)}`;
}

/** Columns padded to their widest cell; the last is left ragged. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
