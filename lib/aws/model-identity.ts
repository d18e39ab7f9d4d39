/** Which model a folder is of, by what its own settings say: models of one family have the same layout. */
import { type Model, modelsOf } from '../core/catalogue/models.ts';

/** The settings in a file of the folder. @returns undefined when there are none that can be read */
export type Settings = (path: string) => unknown;

/** In words, everything that the folder's settings say otherwise than those of the model. */
export function strangeMarks({ marks }: Pick<Model, 'marks'>, settings: Settings): string[] {
  return Object.entries(marks).flatMap(([path, fields]) => {
    const content = settings(path);
    return Object.entries(fields).flatMap(([field, wanted]) => {
      const found = at(content, field);
      const allowed = Array.isArray(wanted) ? wanted : [wanted];
      if (allowed.some((value) => value === (found ?? null))) return [];
      return [`${path} has ${field} ${told(found)} instead of ${told(allowed[0])}`];
    });
  });
}

/** Another model that the folder is of, if the catalogue holds it. */
export function modelOfFolder({ id, role }: Model, settings: Settings): Model | undefined {
  return modelsOf(role).find(
    (row) => row.id !== id && Object.keys(row.marks).length > 0 && strangeMarks(row, settings).length === 0,
  );
}

function at(content: unknown, field: string): unknown {
  let found = content;
  for (const name of field.split('.')) found = (found as Record<string, unknown> | null | undefined)?.[name];
  return found;
}

function told(value: unknown): string {
  return value === undefined || value === null ? 'unset' : JSON.stringify(value);
}
