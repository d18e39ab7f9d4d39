/** The page of a user's own prompt: the images, and everything needed to generate them again. */
import type { Generation } from '../../core/jobs/generation.ts';
import { modelOfRole, type Plan } from '../../core/plan/plan.ts';
import { escaped, htmlPage } from '../html.ts';
import { fileOf } from './image-folder.ts';
import type { Picture } from './shard.ts';

/** Small images are shown at least this large, pixel by pixel. */
const LEAST_SHOWN = 160;
/** Larger ones are opened by a click. */
const MOST_SHOWN = 384;

/**
 * The page's text; it asks for nothing but the images next to it, under the names of `fileOf`.
 * @param there - flags that make a command mean the same cloud, each after a space
 */
export function picturePage(
  plan: Plan,
  generation: Generation,
  pictures: readonly Picture[],
  there: string,
): string {
  const { prompt, asked, how } = generation;
  const side = Math.min(MOST_SHOWN, Math.max(LEAST_SHOWN, how.size));
  const style = `.drawn { grid-template-columns: repeat(auto-fill, minmax(min(100%, ${side}px), 1fr)); }
h1.asked { font-size: clamp(1.6rem, 4vw, 2.4rem); }
.drawn img { max-width: ${side}px; }`;
  const body = `<header>
<p class="eyebrow">Proxytune pictures</p>
<h1 class="asked">${escaped(prompt)}</h1>
<p class="facts">Drawn by the ${asked.of} of run <code>${escaped(plan.runId)}</code>: ${escaped(modelOfRole(plan, asked.of).title)}; tuned on the subject ${escaped(plan.subject)} (${escaped(plan.category)}).</p>
${notices(plan, asked.of)}</header>
<main>
<section id="pictures">
<ul class="grid drawn">
${pictures.map((picture) => figure(picture, fileOf(picture), side)).join('\n')}
</ul>
</section>
<section id="how">
<h2>How they were drawn</h2>
<dl class="facts-list">
${facts(plan, generation, pictures)
  .map(([name, value]) => `<div><dt>${name}</dt><dd>${escaped(value)}</dd></div>`)
  .join('\n')}
</dl>
</section>
<section id="next">
<h2>Again, and more</h2>
<p class="intro">The same pictures: the same seed gives the same picture. Another <code>--seed</code> gives others.</p>
<pre>${escaped(again(plan, generation) + there)}</pre>
<p class="intro">How well the run went:</p>
<pre>npx proxytune report ${escaped(plan.runId + there)}</pre>
</section>
</main>
<footer><p>Made by Proxytune ${escaped(plan.versions.proxytune ?? '')}. This page works offline and loads nothing from elsewhere.</p></footer>`;
  return htmlPage({ title: prompt, style, body });
}

function notices(plan: Plan, of: Generation['asked']['of']): string {
  const { world } = plan;
  const { id, standInFor } = modelOfRole(plan, of);
  const stand =
    standInFor === null
      ? []
      : [
          `<code>${id}</code>, tiny and with random weights, stood in for <code>${standInFor}</code>: noise is all that it can draw.`,
        ];
  return [...stand, ...(world.note === null ? [] : [escaped(world.note)])]
    .map((text) => `<aside class="notice"><p>${text}</p></aside>\n`)
    .join('');
}

function figure({ record: { seed, size, prompt } }: Picture, file: string, side: number): string {
  const exact = size < LEAST_SHOWN ? ' class="exact"' : '';
  return `<li><figure><a href="${file}"><img src="${file}" width="${side}" height="${side}" alt="${escaped(prompt)}, seed ${seed}"${exact}></a><figcaption>seed ${seed}</figcaption></figure></li>`;
}

function facts(
  plan: Plan,
  { prompt, asked, how, adapterJob }: Generation,
  pictures: readonly Picture[],
): [string, string][] {
  const { kind: _, ...sampler } = how.sampler;
  return [
    ['prompt', prompt],
    ['token word', plan.tokenWord],
    ['run', plan.runId],
    ['drawn by', `the ${asked.of}`],
    ['model', modelOfRole(plan, asked.of).id],
    ['adapter of the job', adapterJob],
    ['seeds', `${pictures[0]?.record.seed} to ${pictures.at(-1)?.record.seed}`],
    ['size', `${how.size} px`],
    ...Object.entries(sampler).map(([name, value]): [string, string] => [
      name.replaceAll('_', ' '),
      String(value),
    ]),
  ];
}

/** The command that these pictures are the answer to. */
function again({ runId }: Plan, { asked, seed }: Generation): string {
  const of = asked.of === 'teacher' ? ' --of teacher' : '';
  return `npx proxytune generate ${runId} ${quoted(asked.prompt)} -n ${asked.count} --seed ${seed}${of}`;
}

/** As a shell takes it for one word, whatever is in it. */
function quoted(text: string): string {
  return /^[\w {}.,:-]*$/.test(text) ? `"${text}"` : `'${text.replaceAll("'", "'\\''")}'`;
}
