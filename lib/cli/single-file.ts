/** A report as one file, for sending: its images and numbers are inside the page. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.json': 'application/json',
  '.csv': 'text/csv',
};

/** A reference from the page into its own folder; other pages, places in the page and data have `:` or `#`. */
const REFERENCE = /<(img|a)\b([^>]*?)\b(src|href)="([^":#?]+)"/g;

/**
 * Embeds what a report's page refers to in its folder.
 *
 * An image that opens at a click is left out, as browsers open no page from inside another: the page keeps the size that
 * it shows. Numbers become downloads.
 * @param page - the content of index.html
 * @param folder - its folder
 */
export async function singleFile(page: string, folder: string): Promise<string> {
  const names = [...page.matchAll(REFERENCE)].map(([, tag, , , name = '']) => ({ tag, name }));
  const embedded = new Map<string, string>();
  for (const { tag, name } of names) {
    const type = TYPES[extname(name)];
    if (type === undefined || (tag === 'a' && type.startsWith('image/')) || embedded.has(name)) continue;
    embedded.set(name, `data:${type};base64,${(await readFile(join(folder, name))).toString('base64')}`);
  }
  return page.replace(REFERENCE, (whole, tag: string, before: string, attribute: string, name: string) => {
    const type = TYPES[extname(name)];
    if (type === undefined) return whole;
    // Without an address it is text around the image.
    if (tag === 'a' && type.startsWith('image/')) return `<a${before.trimEnd()}`;
    const download = tag === 'a' ? ` download="${name}"` : '';
    return `<${tag}${before}${attribute}="${embedded.get(name)}"${download}`;
  });
}

/** Writes a fetched report as one file next to its folder, and returns its path. @param page - of index.html */
export async function writeSingleFile(page: string, runId: string): Promise<string> {
  const folder = dirname(page);
  const file = join(dirname(folder), `${runId}.html`);
  await writeFile(file, await singleFile(await readFile(page, 'utf8'), folder));
  return file;
}
