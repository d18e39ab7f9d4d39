/**
 * Finds dangling references in a template. AWS rejects such a template, but the emulator replaces them by an empty
 * string, so they are checked before the deployment.
 */
import type { Template } from './assembly.ts';

type Node = unknown;

/** Lists the references whose target is not in the template, one line each. */
export function danglingReferences(template: Template): string[] {
  const resources = keysOf(template.Resources);
  const referable = new Set([...resources, ...keysOf(template.Parameters)]);
  const conditions = keysOf(template.Conditions);
  const mappings = keysOf(template.Mappings);
  const dangling = new Set<string>();
  const report = (where: string, kind: string, target: unknown): void => {
    dangling.add(`${where}: ${kind} to "${String(target)}", which is not in the template`);
  };

  const visit = (node: Node, where: string): void => {
    if (Array.isArray(node)) {
      for (const item of node) visit(item, where);
      return;
    }
    if (!isRecord(node)) return;
    for (const [key, value] of Object.entries(node)) {
      if (key === 'Ref' && !known(value, referable)) report(where, 'Ref', value);
      else if (key === 'Fn::GetAtt' && !resources.has(first(value)))
        report(where, 'Fn::GetAtt', first(value));
      else if (key === 'Fn::If' && !conditions.has(first(value))) report(where, 'Fn::If', first(value));
      else if (key === 'Fn::FindInMap' && typeof first(value) === 'string' && !mappings.has(first(value))) {
        report(where, 'Fn::FindInMap', first(value));
      } else if (key === 'Fn::Sub') {
        for (const name of substituted(value)) {
          if (!known(name.split('.')[0], name.includes('.') ? resources : referable))
            report(where, 'Fn::Sub', name);
        }
      }
      visit(value, where);
    }
  };

  for (const [id, resource] of entriesOf(template.Resources)) {
    for (const target of [resource.DependsOn ?? []].flat()) {
      if (!resources.has(String(target))) report(id, 'DependsOn', target);
    }
    if (resource.Condition !== undefined && !conditions.has(String(resource.Condition))) {
      report(id, 'Condition', resource.Condition);
    }
    // Metadata is free text, and policies such as DeletionPolicy contain no references.
    visit(resource.Properties, id);
  }
  for (const [id, output] of entriesOf(template.Outputs)) visit(output.Value, `output ${id}`);
  return [...dangling];
}

function known(target: unknown, names: ReadonlySet<string>): boolean {
  return typeof target === 'string' && (names.has(target) || target.startsWith('AWS::'));
}

/** The names in a Fn::Sub that its own map does not define. `${!Name}` is literal text. */
function substituted(value: unknown): string[] {
  const [text, bound] = Array.isArray(value) ? value : [value, {}];
  const names = [...String(text).matchAll(/\$\{([^}!][^}]*)\}/g)].map((match) => match[1] ?? '');
  return names.filter((name) => !keysOf(bound).has(name));
}

function first(value: unknown): string {
  return String(Array.isArray(value) ? value[0] : String(value).split('.')[0]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function keysOf(section: unknown): Set<string> {
  return new Set(isRecord(section) ? Object.keys(section) : []);
}

function entriesOf(section: unknown): [string, Record<string, unknown>][] {
  return isRecord(section) ? (Object.entries(section) as [string, Record<string, unknown>][]) : [];
}
