/**
 * Python types of JSON Schemas: a TypedDict for each object, in one module for each schema. Only what the schemas of
 * lib/core contain is supported; anything else is an error, not a guess.
 *
 * An object is named by its `title`, or by its place: `Plan` and `samples` make `PlanSamples`. Objects that are the same
 * in several schemas are one class, imported from the first module that needs it.
 */

/** A JSON Schema as zod exports it. */
export interface JsonSchema {
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

/** A schema, the module for its types, and the name of its root type. */
export interface PythonModule {
  readonly module: string;
  readonly name: string;
  readonly schema: JsonSchema;
}

interface Known {
  readonly module: string;
  readonly name: string;
}

interface Definition {
  readonly kind: 'class' | 'alias';
  readonly text: string;
}

/** As `line-length` of ruff in containers/pyproject.toml. */
const WIDTH = 110;
/** Of a description depends no type, and of the root's keys only some are those of a part. */
const NOT_STRUCTURE = ['description', '$schema'];
const SCALARS: Readonly<Record<string, string>> = {
  string: 'str',
  integer: 'int',
  number: 'float',
  boolean: 'bool',
  null: 'None',
};

/**
 * The text of each module.
 *
 * @param modules - a module may use types of those before it
 * @param target - the package of the modules, for imports
 */
export function pythonModules(modules: readonly PythonModule[], target: string): Record<string, string> {
  const known = new Map<string, Known>();
  return Object.fromEntries(
    modules.map((entry) => [entry.module, new ModuleWriter(entry, known, target).text()]),
  );
}

class ModuleWriter {
  readonly #own: PythonModule;
  /** Every named type so far, by its schema. */
  readonly #known: Map<string, Known>;
  readonly #target: string;
  readonly #definitions: Definition[] = [];
  readonly #names = new Set<string>();
  readonly #typing = new Set<string>();
  readonly #imports = new Map<string, Set<string>>();

  constructor(own: PythonModule, known: Map<string, Known>, target: string) {
    this.#own = own;
    this.#known = known;
    this.#target = target;
  }

  text(): string {
    const { schema, name } = this.#own;
    const { title, ...root } = schema;
    // The title of a root describes its file; titles below it are names of classes.
    const type = this.#type(root, name);
    if (type !== name) throw new Error(`${name} is ${type}, which needs no module of its own`);
    const groups = [
      ['from __future__ import annotations'],
      [`from typing import ${sorted(this.#typing).join(', ')}`],
      [...this.#imports.keys()].sort().map((module) => this.#importLine(module)),
    ].filter((lines) => lines.length > 0);
    return [
      `"""Types of ${title ?? name}.\n\nWritten by \`npm run schemas\` from lib/core; do not edit.\n"""\n`,
      `${groups.map((lines) => lines.join('\n')).join('\n\n')}\n`,
      this.#definitions.map(spaced).join(''),
    ].join('\n');
  }

  /** The type of a schema; named ones are defined before it is returned. */
  #type(schema: JsonSchema, place: string): string {
    const name = schema.title ?? place;
    const define = (kind: Definition['kind'], text: () => string) => this.#once(schema, name, kind, text);
    const members = schema.anyOf ?? schema.oneOf;
    if (members !== undefined) return this.#union(schema, members, name, place === this.#own.name);
    if (schema.properties !== undefined) return define('class', () => this.#object(schema, name));
    if (schema.const !== undefined) return this.#literal([schema.const]);
    if (schema.enum !== undefined) {
      const literal = () => this.#literal(schema.enum ?? []);
      return schema.title === undefined ? literal() : define('alias', () => alias(name, literal(), ', '));
    }
    if (schema.type === 'array') return `list[${this.#type(schema.items ?? {}, singular(name))}]`;
    if (schema.type === 'object' && typeof schema.additionalProperties === 'object') {
      return `dict[str, ${this.#type(schema.additionalProperties, singular(name))}]`;
    }
    if (schema.type === undefined) return this.#of('Any');
    const scalars = [schema.type].flat().map((type) => SCALARS[type]);
    if (scalars.every((type) => type !== undefined)) return scalars.join(' | ');
    throw new Error(`no Python type for ${JSON.stringify(schema)} at ${place}`);
  }

  #union(schema: JsonSchema, members: readonly JsonSchema[], name: string, root: boolean): string {
    const named = members.filter((member) => member.type !== 'null').length > 1;
    const union = (): string =>
      members.map((member) => this.#type(member, named ? memberName(member, name) : name)).join(' | ');
    const isAlias = named && (root || schema.title !== undefined);
    return isAlias ? this.#once(schema, name, 'alias', () => alias(name, union(), ' | ')) : union();
  }

  #object(schema: JsonSchema, name: string): string {
    const required = new Set(schema.required);
    const fields = Object.entries(schema.properties ?? {}).map(([key, value]) => {
      if (!/^[A-Za-z_]\w*$/.test(key)) throw new Error(`${name}: ${key} cannot be a field of a Python class`);
      const type = this.#type(value, name + pascal(key));
      const field = `    ${key}: ${required.has(key) ? type : `${this.#of('NotRequired')}[${type}]`}`;
      if (field.length > WIDTH) throw new Error(`${name}.${key} is too long: give its parts a title`);
      return [...comment(value.description), field].join('\n');
    });
    return [
      `class ${name}(${this.#of('TypedDict')}):`,
      `    """Fields of ${words(name)}."""`,
      '',
      ...fields,
      '',
    ].join('\n');
  }

  /** A definition under a name, unless an equal schema has one. */
  #once(schema: JsonSchema, name: string, kind: Definition['kind'], define: () => string): string {
    const id = JSON.stringify(schema, (key, value) => (NOT_STRUCTURE.includes(key) ? undefined : value));
    const known = this.#known.get(id);
    if (known !== undefined) {
      if (known.module !== this.#own.module) this.#import(known);
      return known.name;
    }
    const text = define();
    if (this.#names.has(name)) throw new Error(`${name} names two types of ${this.#own.module}: add a title`);
    this.#names.add(name);
    this.#known.set(id, { module: this.#own.module, name });
    this.#definitions.push({ kind, text });
    return name;
  }

  #import({ module, name }: Known): void {
    this.#imports.set(module, (this.#imports.get(module) ?? new Set()).add(name));
  }

  #importLine(module: string): string {
    const names = sorted(this.#imports.get(module) ?? []);
    const line = `from ${this.#target}.${module} import ${names.join(', ')}`;
    if (line.length <= WIDTH) return line;
    return `from ${this.#target}.${module} import (\n${names.map((name) => `    ${name},\n`).join('')})`;
  }

  #literal(values: readonly unknown[]): string {
    return `${this.#of('Literal')}[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
  }

  #of(name: string): string {
    this.#typing.add(name);
    return name;
  }
}

/** `Hyperparameters` of stage `teach` are `TeachHyperparameters`. */
function memberName(member: JsonSchema, union: string): string {
  const values = Object.values(member.properties ?? {}).map((property) => property.const);
  const tag = values.find((value) => typeof value === 'string');
  return tag === undefined ? union : pascal(String(tag)) + union;
}

function alias(name: string, type: string, separator: ' | ' | ', '): string {
  const line = `${name} = ${type}`;
  if (line.length <= WIDTH) return `${line}\n`;
  if (separator === ' | ') return `${name} = (\n    ${type.split(separator).join('\n    | ')}\n)\n`;
  const [head = '', rest = ''] = type.replace(/\]$/, '').split('[');
  return `${name} = ${head}[\n${rest
    .split(separator)
    .map((value) => `    ${value},\n`)
    .join('')}]\n`;
}

/** A definition after the blank lines that ruff wants before it. */
function spaced({ kind, text }: Definition, at: number, all: readonly Definition[]): string {
  const before = all[at - 1]?.kind;
  if (kind === 'class' || before === 'class') return `\n\n${text}`.slice(before === undefined ? 1 : 0);
  return text;
}

function comment(text: string | undefined): string[] {
  return text === undefined ? [] : wrapped(sentence(text), WIDTH - 6).map((line) => `    # ${line}`);
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function pascal(key: string): string {
  return key
    .replace(/(^|[-_])([a-z])/g, (_, _dash, letter: string) => letter.toUpperCase())
    .replace(/^./, upper);
}

function upper(letter: string): string {
  return letter.toUpperCase();
}

/** `PlanStages` holds a `PlanStage` each. */
function singular(name: string): string {
  return name.replace(/s$/, '');
}

/** `PlanSamples` as words. */
function words(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
}

function sorted(names: Iterable<string>): string[] {
  return [...names].sort();
}
