/** `proxytune import-model MODEL`: imports a base model completely and once, and prints what its licence allows. */
import type { AwsContext } from '../../aws/context.ts';
import { requireStoredModel } from '../../aws/models.ts';
import type { BucketContext } from '../../aws/s3.ts';
import { type Model, model, modelIds } from '../../core/catalogue/models.ts';
import { ProxytuneError } from '../../core/errors.ts';
import { licenceWords } from '../../core/models/licences.ts';
import type { ModelManifest } from '../../core/models/manifest.ts';
import { likely } from '../../core/nearest.ts';
import { importFolder, requireModelFolder } from '../import/from-folder.ts';
import { importFromHub } from '../import/from-hub.ts';
import { importByJob, isOfRevision } from '../import/in-account.ts';
import { fileSize, type Output } from '../output.ts';
import { type CloudOptions, dataFolder, withWork } from '../session.ts';

export interface ImportOptions extends CloudOptions {
  /** A folder on this disk. @default - the hub */
  readonly from?: string;
  /** Commit, branch or tag of the hub; of a folder, the commit it was taken from. @default - the catalogue's */
  readonly revision?: string;
  /** The licence's restrictions are known and will be kept. @default - not said */
  readonly acceptLicence?: boolean;
  /** This machine, which is what happens anyway without `stack`. @default - not said */
  readonly local?: boolean;
}

/** @throws ModelUnknown, UsageInvalid, LicenceNotAccepted, ModelMissing, ModelMismatch, ModelGated, HubFailed */
export async function importModelCommand(
  id: string,
  options: ImportOptions,
  output: Output,
): Promise<number> {
  const row = requireImportable(id);
  if (options.local && options.stack !== undefined) throw bothPlaces();
  output.say(`${row.title}, from ${options.from ?? row.source}`);
  output.say(`licence: ${licenceWords(row.licence)} ${row.licence.url}`);
  requireAccepted(row, options.acceptLicence ?? false);
  requireSource(row, options);
  // Before a local cloud starts, which takes seconds.
  if (options.from !== undefined) await requireModelFolder(row, options.from);
  const manifest = await withWork(options, output, (aws, signal) =>
    importFrom(aws, row, options, output, signal),
  );
  printImport(manifest, options, output);
  return 0;
}

/** From a folder, or from the hub: in an account by a job there, on this machine by the same code here. */
async function importFrom(
  aws: AwsContext,
  row: Model,
  options: ImportOptions,
  output: Output,
  signal: AbortSignal,
): Promise<ModelManifest> {
  const { from, revision = null, stack } = options;
  const local = stack === undefined;
  if (from !== undefined) return importFolder(aws, row, from, { link: local, revision, output, signal });
  if (local) return importFromHub(aws, row, { revision, dataDir: dataFolder(options), output, signal });
  const stored = await storedAlready(aws, row, revision);
  if (stored !== undefined) output.say('it is stored already, complete and as it was imported');
  return stored ?? importByJob(aws, row, { revision, output, signal });
}

/** The stored model, when it is what the hub would give: no instance has to be started to check. */
async function storedAlready(
  context: BucketContext,
  row: Model,
  revision: string | null,
): Promise<ModelManifest | undefined> {
  try {
    const manifest = await requireStoredModel(context, row.id);
    return isOfRevision(manifest, row, revision) ? manifest : undefined;
  } catch (error) {
    if (error instanceof ProxytuneError) return undefined;
    throw error;
  }
}

/** @throws UsageInvalid for a model that is on no hub as the jobs read it */
function requireSource({ id, title, hub }: Model, { from }: ImportOptions): void {
  if (from !== undefined || hub !== null) return;
  throw new ProxytuneError('UsageInvalid', {
    what: `${title} is on no hub in the layout that the jobs read`,
    given: `import-model ${id} without --from`,
    allowed: '--from FOLDER, which a tool makes of the published files',
    remedy: `make it as docs/models.md shows under ${id}`,
  });
}

/** A model that users have to import. @throws ModelUnknown, UsageInvalid */
function requireImportable(id: string): Model {
  const importable = modelIds().filter(
    (other) => model(other).standInFor === null && model(other).shipped === null,
  );
  if (importable.includes(id)) return model(id);
  const given = { given: id, allowed: importable.join(', ') };
  if (!modelIds().includes(id)) {
    const meant = likely(id, importable);
    throw new ProxytuneError('ModelUnknown', {
      ...given,
      what: 'The catalogue holds no such model',
      remedy: meant === undefined ? 'choose one of these' : `did you mean ${meant}?`,
    });
  }
  throw new ProxytuneError('UsageInvalid', {
    ...given,
    what: `${model(id).title} is imported automatically, wherever a run needs it`,
    remedy: 'choose one of these, or simply start a run',
  });
}

/** Restrictions are agreed to by a flag, never by a question: a script has nobody to ask. */
function requireAccepted({ title, licence }: Model, accepted: boolean): void {
  if (accepted || licence.commercial === 'yes') return;
  throw new ProxytuneError('LicenceNotAccepted', {
    what: `The licence of ${title} restricts what may be done with it and its pictures`,
    given: licenceWords(licence),
    allowed: `what ${licence.url} allows`,
    remedy: 'read it, and if you will keep to it, retry with --accept-licence',
  });
}

function bothPlaces(): ProxytuneError {
  return new ProxytuneError('UsageInvalid', {
    what: 'A model is imported to one place',
    given: '--local and --stack',
    allowed: '--local (this machine, the default), or --stack NAME in an AWS account',
    remedy: 'leave one of them out',
  });
}

function printImport(manifest: ModelManifest, options: ImportOptions, output: Output): void {
  const { model: id, files, bytes, linked, revision } = manifest;
  output.data(manifest);
  output.say(`${id}: ${files.length} files, ${fileSize(bytes)}, each with its SHA-256 in the manifest`);
  if (revision !== null) output.say(`commit ${revision}`);
  if (linked !== null) {
    output.say(`linked, not copied: it stays in ${linked}; do not move or change it`);
    const { role } = model(id);
    const flag = role === 'teacher' || role === 'student' ? ` --${role} ${id}` : '';
    output.say(
      `a run with it: npx proxytune run --local --full-size${flag} --data ${dataFolder(options)} DIR`,
    );
  }
}
