/** `proxytune import-model MODEL`: brings a base model in once, whole, and says what its licence allows. */
import { type Model, model, modelIds } from '../core/catalogue.ts';
import { ProxytuneError } from '../core/errors.ts';
import { licenceWords } from '../core/licences.ts';
import type { ModelManifest } from '../core/model-manifest.ts';
import { importFolder } from './import-folder.ts';
import { fileSize, type Output } from './output.ts';
import { type CloudOptions, dataFolder, withWork } from './session.ts';

export interface ImportOptions extends CloudOptions {
  /** A folder on this disk. */
  readonly from?: string;
  /** The licence's restrictions are known and will be kept. @default - not said */
  readonly acceptLicence?: boolean;
  /** This machine, which is what happens anyway without `stack`. @default - not said */
  readonly local?: boolean;
}

/** @throws ModelUnknown, UsageInvalid, LicenceNotAccepted, ModelMissing, ModelMismatch */
export async function importModelCommand(
  id: string,
  options: ImportOptions,
  output: Output,
): Promise<number> {
  const row = requireImportable(id);
  if (options.local && options.stack !== undefined) throw bothPlaces();
  output.say(`${row.title}, from ${row.source}`);
  output.say(`licence: ${licenceWords(row.licence)} ${row.licence.url}`);
  requireAccepted(row, options.acceptLicence ?? false);
  const manifest = await withWork(options, output, (place, signal) =>
    importFolder(place, row, options.from ?? '', {
      link: options.stack === undefined,
      output,
      signal,
    }),
  );
  tell(manifest, options, output);
  return 0;
}

/** A model that somebody has to bring in. @throws ModelUnknown, UsageInvalid */
function requireImportable(id: string): Model {
  const row = model(id);
  if (row.standInFor === null && row.shipped === null) return row;
  throw new ProxytuneError('UsageInvalid', {
    what: `${row.title} is brought in by itself, wherever a run needs it`,
    given: id,
    allowed: modelIds()
      .filter((other) => model(other).standInFor === null && model(other).shipped === null)
      .join(', '),
    remedy: 'choose one of these, or simply start a run',
  });
}

/** Restrictions are agreed to by a flag, never by a question: a script has nobody to ask. */
function requireAccepted({ id, title, licence }: Model, accepted: boolean): void {
  if (accepted || licence.commercial === 'yes') return;
  throw new ProxytuneError('LicenceNotAccepted', {
    what: `The licence of ${title} restricts what may be done with it and its pictures`,
    given: licenceWords(licence),
    allowed: `what ${licence.url} allows`,
    remedy: `read it, and when you will keep to it, call npx proxytune import-model ${id} --accept-licence`,
  });
}

function bothPlaces(): ProxytuneError {
  return new ProxytuneError('UsageInvalid', {
    what: 'A model is brought to one place',
    given: '--local and --stack',
    allowed: '--local (this machine, also without saying so), or --stack NAME in an AWS account',
    remedy: 'leave one of them out',
  });
}

function tell(manifest: ModelManifest, options: ImportOptions, output: Output): void {
  const { model: id, files, bytes, linked } = manifest;
  output.data(manifest);
  output.say(`${id}: ${files.length} files, ${fileSize(bytes)}, each with its SHA-256 in the manifest`);
  if (linked !== null) {
    output.say(`linked, not copied: it stays in ${linked}; do not move or change it`);
    output.say(`a run with it: npx proxytune run --local --full-size --data ${dataFolder(options)} DIR`);
  }
}
