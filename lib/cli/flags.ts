/**
 * The flags that are fields of subject.json. They are only read here: the request's schema checks their values together
 * with the file's fields, so that a fault is reported in the same words wherever it is, and all faults at once.
 */
import { type Command, Option } from 'commander';
import { METHODS } from '../core/catalogue/methods.ts';
import { requestable } from '../core/catalogue/models.ts';
import { PRESETS } from '../core/catalogue/recipes.ts';
import { ProxytuneError } from '../core/errors.ts';
import { SYNTHESES } from '../core/words.ts';

/** Fields of the request that have a flag of the same name. */
export const FIELDS = [
  'category',
  'teacher',
  'student',
  'method',
  'preset',
  'tokenWord',
  'proxies',
  'seed',
  'maxUsd',
  'synthesis',
  'curation',
  'adaptiveProxies',
  'consent',
] as const;

export interface FieldFlags extends Readonly<Partial<Record<(typeof FIELDS)[number], unknown>>> {
  /** `field=value` for any other field. @default - none */
  readonly set?: readonly string[];
}

/** Adds the fields of a request as options. */
export function addFields(command: Command): Command {
  return command
    .option('--category <words>', 'what the subject is, such as dog')
    .addOption(oneOf('--teacher <model>', 'the model that learns the photos', requestable('teacher')))
    .addOption(oneOf('--student <model>', 'the model that learns the proxies', requestable('student')))
    .addOption(
      oneOf(
        '--method <name>',
        'proxy (default), or for comparison a method without a teacher (docs/methods.md)',
        METHODS,
      ),
    )
    .addOption(
      oneOf(
        '--preset <name>',
        'draft: a quick look; standard (default): as in the paper; best: longer',
        PRESETS,
      ),
    )
    .option('--token-word <word>', 'the rare word that stands for the subject (default: ohwx)')
    .option('--proxies <n>', 'number of proxies (default: 200 for draft, else 1000)', numberOrText)
    .option(
      '--seed <n>',
      'the same request with the same seed gives the same images (default: 0)',
      numberOrText,
    )
    .option('--max-usd <n>', 'refuse a plan that costs more (default: 25)', numberOrText)
    .addOption(
      oneOf(
        '--synthesis <way>',
        'how proxies are generated: transform (default), or spot: managed spot, cheaper, may pause',
        SYNTHESES,
      ),
    )
    .option('--curation', 'drop proxies that miss the subject or prompt, repeat another or look unsafe')
    .option('--adaptive-proxies', 'generate proxies in rounds, and stop once they add nothing')
    .option('--consent', 'you may use these photos for this purpose')
    .option('--set <field=value...>', 'any other field, such as advanced.learn.steps=100');
}

/** An option whose help lists the choices; the schema checks the value. */
export function oneOf(flags: string, text: string, values: readonly string[]): Option {
  return new Option(flags, text).choices([...values]).argParser((value) => value);
}

/** A finite number, else the text, which the schema then refuses by name. */
export function numberOrText(text: string): number | string {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : text;
}

/** The fields that were given. @throws UsageInvalid that lists every invalid --set */
export function fieldsOf(flags: FieldFlags): Record<string, unknown> {
  const settings = flags.set ?? [];
  requireSettings(settings);
  const fields: Record<string, unknown> = {};
  for (const name of FIELDS) if (flags[name] !== undefined) fields[name] = flags[name];
  for (const entry of settings) assign(fields, entry);
  return fields;
}

function requireSettings(settings: readonly string[]): void {
  const wrong = settings.filter((entry) => !isSetting(entry));
  if (wrong.length === 0) return;
  throw new ProxytuneError('UsageInvalid', {
    what: 'Invalid --set',
    given: wrong.join(', '),
    allowed: 'field=value, such as advanced.learn.steps=100',
    remedy: 'write each as field=value',
  });
}

function isSetting(entry: string): boolean {
  const { names } = split(entry);
  // No field is called __proto__, and assigning to it would change every object.
  return names.every((name) => name !== '' && name !== '__proto__');
}

function split(entry: string): { names: string[]; text: string } {
  const [, path = '', text = ''] = /^([^=]+)=(.*)$/s.exec(entry) ?? [];
  return { names: path.split('.'), text };
}

/** `advanced.learn.steps=100` into the nested object; values are JSON where they can be, else text. */
function assign(fields: Record<string, unknown>, entry: string): void {
  const { names, text } = split(entry);
  let at = fields;
  for (const name of names.slice(0, -1)) {
    // null, which is an object by its type, is replaced like any other value.
    at[name] = typeof at[name] === 'object' ? (at[name] ?? {}) : {};
    at = at[name] as Record<string, unknown>;
  }
  at[names.at(-1) ?? ''] = parsed(text);
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY ? text : value;
  } catch {
    return text;
  }
}
