import { compile, expressionIn, messageOf } from '../expression.ts';
import { isObject, type Json } from '../json.ts';
import type { Findings } from './findings.ts';

/** The part of JSONata's syntax tree that is used here; the library's own type lacks members. */
interface Node {
  readonly type: string;
  readonly value?: unknown;
  readonly [member: string]: unknown;
}

/** Members of a node that are evaluated in the same context (`$`) as the node itself. */
const SAME_CONTEXT = ['lhs', 'rhs', 'arguments', 'expressions', 'expression', 'condition', 'then', 'else'];

/** Parses every expression in a field and reports features that Step Functions' JSONata lacks. */
export function checkTemplate(value: Json, location: string, findings: Findings): void {
  if (typeof value === 'string') checkString(value, location, findings);
  else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) checkTemplate(item, `${location}/${index}`, findings);
  } else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      checkTemplate(item, `${location}/${key}`, findings);
    }
  }
}

function checkString(value: string, location: string, findings: Findings): void {
  const text = expressionIn(value);
  if (text === undefined) {
    // Otherwise a missing delimiter would silently turn an expression into plain text. With spaces on both sides it is
    // plain text in AWS too, as recorded.
    if (value.startsWith('{%') || value.endsWith('%}')) {
      findings.invalid(
        location,
        `${JSON.stringify(value)} is an incomplete expression: it must begin with {% and end with %}, without surrounding spaces`,
      );
    }
    return;
  }
  try {
    const tree = compile(text).ast() as unknown as Node;
    if (uses(tree, 'eval')) {
      findings.add(
        'INVALID_JSONATA_EXPRESSION',
        location,
        `'${text}' uses $eval, which Step Functions does not support; use $parse for JSON`,
      );
    }
    const unbound = unboundAtTop(tree);
    if (unbound !== undefined) {
      findings.add(
        'INVALID_JSONATA_EXPRESSION',
        location,
        `'${text}' reads ${unbound} outside any context; begin with $states.input or a variable`,
      );
    }
  } catch (error) {
    findings.add('INVALID_JSONATA_EXPRESSION', location, `'${text}' is not JSONata: ${messageOf(error)}`);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

/** Returns true if the tree contains a variable of this name. */
function uses(value: unknown, name: string): boolean {
  if (Array.isArray(value)) return value.some((item) => uses(item, name));
  if (typeof value !== 'object' || value === null) return false;
  if (isNode(value) && value.type === 'variable' && value.value === name) return true;
  return Object.values(value).some((member) => uses(member, name));
}

/**
 * Finds the first bare name, `$` or `$$` that reads the context where there is none. Later steps of a path,
 * predicates and function bodies have their own context and are not checked.
 */
function unboundAtTop(value: unknown): string | undefined {
  if (Array.isArray(value)) return first(value.map(unboundAtTop));
  if (!isNode(value)) return undefined;
  if (value.type === 'path') return unboundAtTop((value.steps as Node[])[0]);
  if (value.type === 'name') return `the field '${String(value.value)}'`;
  if (value.type === 'wildcard') return "'*'";
  if (value.type === 'descendant') return "'**'";
  if (value.type === 'variable')
    return value.value === '' || value.value === '$' ? `'$${value.value}'` : undefined;
  if (value.type === 'lambda' || value.type === 'transform') return undefined;
  return first(SAME_CONTEXT.map((member) => unboundAtTop(value[member])));
}

function first(found: (string | undefined)[]): string | undefined {
  return found.find((item) => item !== undefined);
}
