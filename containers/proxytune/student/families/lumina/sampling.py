"""Drawing pictures: guidance in one batch, a static cache, a random stream for each picture.

The grammar of a picture is known beforehand, so the ids that it forces are never asked for: the header is
given, marks are put where they belong, and the model only chooses codes. What comes out is always a whole
picture of the size asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proxytune.student.adapters import bare
from proxytune.student.decoding import Decoder, padded
from proxytune.student.families.lumina.layout import Grid, Layout
from proxytune.student.families.lumina.transformer import Lumina
from proxytune.student.modules import evaluating
from proxytune.student.sampling import Choose, check_settings, chooser, filled


def _rows(
    layout: Layout, prompts: Sequence[Sequence[int]], grid: Grid, guidance: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The ids (rows, S) that come before the codes, and how many of them are padding in each row.

    Guided, the rows without prompt know the header only.
    """
    header = layout.header(grid)
    rows = [[*prompt, *header] for prompt in prompts]
    if guidance != 1.0:
        rows += [header] * len(prompts)
    return padded(rows, layout.vocabulary.begin, device)


@torch.no_grad()
def sample_codes(
    model: nn.Module,
    layout: Layout,
    prompts: Sequence[Sequence[int]],
    grid: Grid,
    seeds: Sequence[int],
    *,
    guidance: float = 4.0,
    temperature: float = 1.0,
    top_k: int = 2000,
    top_p: float = 1.0,
    rows: int | None = None,
) -> Tensor:
    """Draw the codes of one picture a seed, all in one batch. Defaults: those of Lumina-mGPT's README.

    A picture's random numbers come from its own seed alone. What is left of the batch's influence is
    rounding: prompts of one length and `rows` keep all shapes the same.

    Args:
        model: a Lumina, also wrapped by peft. Its train or eval mode is as before afterwards.
        prompts: the ids before each picture, one prompt a seed.
        grid: the size of all of them.
        guidance: at least 1; 1 leaves the rows without prompt out and halves the work.
        temperature: 0 takes the likeliest code (`top_k`, `top_p` and the seeds then play no part).
        top_k: 0 keeps all codes. top_p: 1 keeps all codes.
        rows: pad the batch to this many pictures.

    Returns:
        (len(seeds), grid.codes) int64 codes of the picture tokenizer, row by row.

    Raises:
        ValueError: settings outside the above.
    """
    count = len(seeds)
    rows = count if rows is None else rows
    check_settings(
        seeds=count,
        prompts=len(prompts),
        rows=rows,
        guidance=guidance,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
    )
    prompts, seeds = filled(prompts, rows), filled(seeds, rows)
    choose = chooser(
        seeds, grid.codes, _lumina(model).device, temperature=temperature, top_k=top_k, top_p=top_p
    )
    return decode(model, layout, prompts, grid, choose, guidance=guidance)[:count]


@torch.no_grad()
def decode(
    model: nn.Module,
    layout: Layout,
    prompts: Sequence[Sequence[int]],
    grid: Grid,
    choose: Choose,
    *,
    guidance: float,
) -> Tensor:
    """Go through pictures code by code, all in one batch.

    Args:
        choose: says which candidate each picture gets; candidates are in the order of their ids.

    Returns:
        (pictures, grid.codes) int64 codes of the picture tokenizer, row by row.
    """
    inner = _lumina(model)
    ids, code_of = torch.tensor(layout.vocabulary.codes, device=inner.device).sort()
    drawn = torch.empty(len(prompts), grid.codes, dtype=torch.long, device=inner.device)
    places = [place for place in range(grid.block - 4) if layout.forced(place, grid) is None]
    with evaluating(model):
        head = inner.lm_head.weight[ids]
        before, padding = _rows(layout, prompts, grid, guidance, inner.device)
        decoder = Decoder(
            lambda fed, mask, positions, cache: inner.hidden(
                fed, mask=mask, positions=positions, cache=cache
            ),
            layers=inner.config.num_hidden_layers,
            padding=padding,
            # The marks behind the last code are known when it is, and nothing comes after them.
            length=before.shape[1] + max(0, grid.rows * (grid.columns + 1) - 2),
            guidance=guidance,
        )
        hidden = decoder.feed(before)
        for code, place in enumerate(places):
            chosen = choose(decoder.guided(F.linear(hidden, head).float()), code)
            drawn[:, code] = code_of[chosen]
            if code + 1 < len(places):
                hidden = _go_on(decoder, layout, grid, place, ids[chosen])
    return drawn


def _go_on(decoder: Decoder, layout: Layout, grid: Grid, place: int, chosen: Tensor) -> Tensor:
    """Feed the codes that were chosen for `place`, and the mark behind them where the row ends."""
    fed = decoder.for_all_rows(chosen)[:, None]
    mark = layout.forced(place + 1, grid)
    if mark is not None:
        fed = torch.cat([fed, torch.full_like(fed, mark)], dim=1)
    return decoder.feed(fed)


def _lumina(model: nn.Module) -> Lumina:
    inner = bare(model)
    if not isinstance(inner, Lumina):
        raise TypeError(f"{type(inner).__name__} given; allowed: a Lumina, also wrapped by peft")
    return inner
