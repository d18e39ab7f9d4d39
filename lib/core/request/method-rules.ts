/** The fields of a request that its method has no use for: they are named, not refused, so that methods can be compared. */
import { countsImages, type Method, type MethodId, method } from '../catalogue/methods.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A part of a request that only some methods use. */
interface Use {
  readonly used: (by: Method) => boolean;
  /** Fields with what they are where nobody asked for them; undefined: nothing. */
  readonly fields: Fields;
}

const USES: readonly Use[] = [
  {
    used: ({ teacher }) => teacher,
    fields: {
      proxyContexts: 0,
      curation: false,
      adaptiveProxies: false,
      masks: 'given',
      synthesis: 'transform',
      'advanced.teach': undefined,
      'advanced.synthesize': undefined,
      'advanced.curate': undefined,
      'advanced.learn.backgroundWeight': undefined,
    },
  },
  { used: countsImages, fields: { proxies: undefined } },
  { used: ({ trainsOn }) => trainsOn !== 'proxies', fields: { 'advanced.learn.mirror': undefined } },
  { used: ({ tuning }) => tuning !== 'full', fields: { 'advanced.learn.rank': undefined } },
];

/** The fields of a request that have no effect with its method, though they differ from their defaults. */
export function unusedFields(request: { readonly method: MethodId } & Fields): string[] {
  const row = method(request.method);
  return USES.filter(({ used }) => !used(row)).flatMap(({ fields }) =>
    Object.entries(fields).flatMap(([path, usual]) => (valueAt(request, path) === usual ? [] : [path])),
  );
}

function valueAt(request: Fields, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (value as Fields | undefined)?.[name], request);
}
