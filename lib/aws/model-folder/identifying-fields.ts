/** Identifies the model of a folder by fields of its settings: models of one family have the same layout. */
import { type Model, modelsOf } from '../../core/catalogue/models.ts';

/** Reads the settings in a file of the folder. @returns undefined when it cannot be read */
export type Settings = (path: string) => unknown;

/** Descriptions of every identifying field in which the folder's settings differ from the model's. */
export function mismatches(
  { identifyingFields }: Pick<Model, 'identifyingFields'>,
  settings: Settings,
): string[] {
  return Object.entries(identifyingFields).flatMap(([path, fields]) => {
    const content = settings(path);
    return Object.entries(fields).flatMap(([field, wanted]) => {
      const value = at(content, field);
      const allowed = Array.isArray(wanted) ? wanted : [wanted];
      if (allowed.some((one) => one === (value ?? null))) return [];
      return [`${path} has ${field} ${shown(value)} instead of ${shown(allowed[0])}`];
    });
  });
}

/** Another model of the catalogue that the folder matches, if there is one. */
export function modelOfFolder({ id, role }: Model, settings: Settings): Model | undefined {
  return modelsOf(role).find(
    (row) =>
      row.id !== id &&
      Object.keys(row.identifyingFields).length > 0 &&
      mismatches(row, settings).length === 0,
  );
}

function at(content: unknown, field: string): unknown {
  let value = content;
  for (const name of field.split('.')) value = (value as Record<string, unknown> | null | undefined)?.[name];
  return value;
}

function shown(value: unknown): string {
  return value === undefined || value === null ? 'unset' : JSON.stringify(value);
}
