/** Parts that every page written by the command line has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One look for all pages, from one file. */
const STYLE = join(import.meta.dirname, '../../containers/proxytune/evaluation/report/templates/report.css');

/** Escapes text for an element or an attribute. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

export interface PageParts {
  /** Plain text. */
  readonly title: string;
  /** Rules after the common ones. */
  readonly style: string;
  /** HTML of the body. */
  readonly body: string;
}

/** A whole page, which loads nothing but the images next to it. */
export function htmlPage({ title, style, body }: PageParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>${escaped(title)} · Proxytune</title>
<link rel="icon" href="data:,">
<style>
${readFileSync(STYLE, 'utf8')}
${style}
</style>
</head>
<body>
${body}
</body>
</html>
`;
}
