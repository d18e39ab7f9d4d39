/** Inheritance in the catalogue's data: an entry with `extends` says only where it differs from another one. */

type Entry = Readonly<Record<string, unknown>>;

/**
 * Entries with what they extend filled in. Objects are merged field by field; anything else, a list too, replaces what
 * was inherited. An entry has every field of the one that it extends: there is no way to remove one.
 *
 * @param of - names the entries in errors
 * @throws Error when an entry extends an unknown one, or itself
 */
export function resolveExtends(
  of: string,
  entries: Readonly<Record<string, unknown>>,
): Record<string, Entry> {
  const resolve = (name: string, heirs: readonly string[]): Entry => {
    if (heirs.includes(name)) throw new Error(`${of}: ${[...heirs, name].join(' extends ')}`);
    const entry = entries[name];
    if (!isObject(entry)) {
      const heir = heirs.at(-1);
      throw new Error(
        heir === undefined
          ? `${of}: ${name} is not an object`
          : `${of}: ${heir} extends ${name}, which does not exist`,
      );
    }
    const { extends: parent, ...own } = entry;
    return parent === undefined ? own : merged(resolve(String(parent), [...heirs, name]), own);
  };
  return Object.fromEntries(Object.keys(entries).map((name) => [name, resolve(name, [])]));
}

function merged(inherited: Entry, own: Entry): Entry {
  const fields = Object.entries(own).map(([name, value]) => {
    const before = inherited[name];
    return [name, isObject(before) && isObject(value) ? merged(before, value) : value];
  });
  return { ...inherited, ...Object.fromEntries(fields) };
}

function isObject(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
