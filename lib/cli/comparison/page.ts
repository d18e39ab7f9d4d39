/** The page of a comparison: a table of all models, means over subjects, and images by prompt. */
import { escaped, htmlPage } from '../html.ts';
import type { ComparedImage, ComparedModel, ComparedPrompt, SubjectMean } from './compared.ts';
import { type Measure, measuresOf, printedScore } from './measures.ts';

export interface Comparison {
  readonly models: readonly ComparedModel[];
  readonly means: readonly SubjectMean[];
  readonly prompts: readonly ComparedPrompt[];
  /** Sentences that say why scores cannot be compared; with any, the page shows images only. */
  readonly obstacles: readonly string[];
  /** The command that made it. */
  readonly command: string;
}

const STYLE = `.wide { overflow-x: auto; }
.wide table { min-width: 48rem; }
.wide th, .wide td { padding: 0.5rem 1.1rem 0.5rem 0; border-top: 1px solid var(--line); vertical-align: top; text-align: left; }
.wide td { white-space: nowrap; }
.wide tr.teacher th { color: var(--teacher); }
.wide tr.student th { color: var(--student); }
.wide .best { font-weight: 700; }
.wide figure { width: 9rem; }`;

/** The page's text. @param source - where the page finds an image's file */
export function comparisonPage(comparison: Comparison, source: (image: ComparedImage) => string): string {
  const { models, means, prompts, obstacles, command } = comparison;
  const runs = new Set(models.map(({ runId }) => runId)).size;
  const shown = obstacles.length === 0 ? measuresOf(models.map(({ scores }) => scores)) : [];
  const body = `<header>
<p class="eyebrow">Proxytune comparison</p>
<h1>${runs} runs</h1>
<p class="facts">${escaped([...new Set(models.map(({ subject }) => subject))].join(', '))}</p>
${obstacles.map((text) => `<aside class="notice"><p>${escaped(text)}</p></aside>`).join('\n')}
</header>
<main>
<section id="scores">
<h2>${shown.length > 0 ? 'Scores' : 'Models'}</h2>
${shown.length > 0 ? '<p class="intro">Means over all images, with 95 % intervals. The best of each measure is bold, whether or not the difference is more than chance.</p>' : ''}
${scores(models, shown)}
</section>
${means.length > 0 && shown.length > 0 ? meansSection(means, shown) : ''}
<section id="prompts">
<h2>Images by prompt</h2>
<p class="intro">The first image of each prompt, none chosen by hand. S* stands for the subject.</p>
${promptTable(models, prompts, source)}
</section>
<section id="again">
<h2>Again</h2>
<pre>${escaped(command)}</pre>
</section>
</main>
<footer><p>This page works offline and loads nothing from elsewhere.</p></footer>`;
  return htmlPage({ title: `${runs} runs`, style: STYLE, body });
}

function scores(models: readonly ComparedModel[], measures: readonly Measure[]): string {
  const rows = models.map(({ runId, row, method, model, preset, images, scores: own }) => {
    const cells = measures.map((measure) => {
      const best = own[measure.key]?.mean === bestOf(models, measure);
      return `<td${best ? ' class="best"' : ''}>${printedScore(measure, own[measure.key])}</td>`;
    });
    return `<tr class="${row}"><th scope="row">${row}</th><td><code>${escaped(runId)}</code></td><td>${method}</td><td>${escaped(model)}</td><td>${preset}</td><td>${images}</td>${cells.join('')}</tr>`;
  });
  return wideTable(
    ['', 'run', 'method', 'model', 'preset', 'images', ...measures.map(({ title }) => title)],
    rows,
  );
}

function bestOf(models: readonly ComparedModel[], { key, better }: Measure): number | undefined {
  const means = models.flatMap(({ scores: own }) => own[key]?.mean ?? []);
  if (better === null || means.length === 0) return undefined;
  return better === 'higher' ? Math.max(...means) : Math.min(...means);
}

function meansSection(means: readonly SubjectMean[], measures: readonly Measure[]): string {
  const rows = means.map(({ row, method, model, preset, subjects, means: own }) => {
    const cells = measures.map(({ key, digits }) => `<td>${own[key]?.toFixed(digits) ?? '–'}</td>`);
    return `<tr class="${row}"><th scope="row">${row}</th><td>${method}</td><td>${escaped(model)}</td><td>${preset}</td><td>${subjects}</td>${cells.join('')}</tr>`;
  });
  return `<section id="means">
<h2>Means over subjects</h2>
<p class="intro">Each subject counts once, as in the tables of papers.</p>
${wideTable(['', 'method', 'model', 'preset', 'subjects', ...measures.map(({ title }) => title)], rows)}
</section>`;
}

function promptTable(
  models: readonly ComparedModel[],
  prompts: readonly ComparedPrompt[],
  source: (image: ComparedImage) => string,
): string {
  const rows = prompts.map(({ prompt, images }) => {
    const cells = models.map(({ runId, row }) => {
      const image = images.find((candidate) => candidate.runId === runId && candidate.row === row);
      if (image === undefined) return '<td>–</td>';
      const file = escaped(source(image));
      const alt = escaped(`${prompt}, the ${row} of ${runId}`);
      return `<td><figure><a href="${file}"><img src="${file}" alt="${alt}" loading="lazy"></a></figure></td>`;
    });
    return `<tr><th scope="row">${escaped(prompt)}</th>${cells.join('')}</tr>`;
  });
  const head = models.map(({ runId, row, method }) => `${row} of ${runId}, ${method}`);
  return wideTable(['prompt', ...head], rows);
}

/** A table that scrolls by itself where the window is narrow; reachable by keyboard for that. */
function wideTable(head: readonly string[], rows: readonly string[]): string {
  const cells = head.map((title) => (title === '' ? '<td></td>' : `<th scope="col">${escaped(title)}</th>`));
  return `<div class="wide" tabindex="0" role="group" aria-label="table">
<table>
<thead><tr>${cells.join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
</div>`;
}
