"""Drawing pictures: guidance in one batch, a static cache, a random stream for each picture.

The grammar of a picture is known beforehand, so the ids that it forces are never asked for: the header is
given, marks are put where they belong, and the model only chooses codes. What comes out is always a whole
picture of the size asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from proxytune.student.adapters import bare
from proxytune.student.drawing import draw, filtered_probabilities, streams
from proxytune.student.lumina.cache import WindowCache
from proxytune.student.lumina.layout import Grid, Layout
from proxytune.student.lumina.transformer import Lumina
from proxytune.student.modules import evaluating


class _Decoder:
    """One batch being drawn; gone when the batch is done.

    Guided, there are two rows a picture: first all that know the prompt, then all that know the header only.
    Each row counts its own positions from 0; shorter rows are padded on the left.
    """

    def __init__(
        self, model: Lumina, layout: Layout, prompts: Sequence[Sequence[int]], grid: Grid, guidance: float
    ) -> None:
        self.model, self.guidance, self.pictures = model, guidance, len(prompts)
        device = model.lm_head.weight.device
        header = layout.header(grid)
        rows = [[*prompt, *header] for prompt in prompts]
        if guidance != 1.0:
            rows += [header] * len(prompts)
        longest = max(len(row) for row in rows)
        filler = layout.vocabulary.begin
        self.ids = torch.tensor([[filler] * (longest - len(row)) + row for row in rows], device=device)
        padding = torch.tensor([longest - len(row) for row in rows], device=device)
        # The marks behind the last code are known when it is, and nothing comes after them.
        self.cache = WindowCache(model.config, longest + max(0, grid.rows * (grid.columns + 1) - 2))
        # Which places may be attended to, once they are filled.
        self.open = torch.arange(self.cache.length, device=device) >= padding[:, None]
        self.positions = torch.arange(self.cache.length, device=device) - padding[:, None]
        self.filled = 0

    def feed(self, ids: Tensor) -> Tensor:
        """Run (rows, S) ids; return what the model makes of the last ones, (rows, hidden_size)."""
        start, self.filled = self.filled, self.filled + ids.shape[1]
        window = self.cache.window(self.filled)
        places = torch.arange(window, device=ids.device)
        queries = torch.arange(start, self.filled, device=ids.device)[:, None]
        # A padded query attends to itself, since a row that attends to nothing is no number.
        mask = (self.open[:, None, :window] & (places <= queries)) | (places == queries)
        hidden = self.model.hidden(
            ids,
            mask=mask[:, None],
            positions=self.positions[:, start : self.filled].clamp(min=0),
            cache=self.cache,
        )
        return hidden[:, -1]

    def guided(self, logits: Tensor) -> Tensor:
        """(pictures, codes) of (rows, codes)."""
        if len(logits) == self.pictures:
            return logits
        conditional, free = logits.split(self.pictures)
        return free + self.guidance * (conditional - free)


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
    _check_settings(count, len(prompts), rows, guidance, temperature, top_k, top_p)
    more = rows - count
    prompts, seeds = [*prompts, *[prompts[-1]] * more], [*seeds, *[seeds[-1]] * more]
    uniforms = None if temperature == 0 else streams(seeds, grid.codes).to(_lumina(model).device)

    def choose(code: int, logits: Tensor) -> Tensor:
        if uniforms is None:
            return logits.argmax(dim=-1)
        kept = filtered_probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p)
        return draw(kept, uniforms[:, code])

    return decode(model, layout, prompts, grid, choose, guidance=guidance)[:count]


@torch.no_grad()
def decode(
    model: nn.Module,
    layout: Layout,
    prompts: Sequence[Sequence[int]],
    grid: Grid,
    choose: Callable[[int, Tensor], Tensor],
    *,
    guidance: float,
) -> Tensor:
    """Go through pictures code by code, all in one batch.

    Args:
        choose: given the number of a code and the logits (pictures, codes) of its candidates after guidance,
            says which candidate each picture gets, (pictures,) int64. Candidates are in the order of their
            ids. Nothing here waits for the device, so nothing in it should.

    Returns:
        (pictures, grid.codes) int64 codes of the picture tokenizer, row by row.
    """
    inner = _lumina(model)
    ids, code_of = torch.tensor(layout.vocabulary.codes, device=inner.device).sort()
    drawn = torch.empty(len(prompts), grid.codes, dtype=torch.long, device=inner.device)
    places = [place for place in range(grid.block - 4) if layout.forced(place, grid) is None]
    with evaluating(model):
        head = inner.lm_head.weight[ids]
        decoder = _Decoder(inner, layout, prompts, grid, guidance)
        hidden = decoder.feed(decoder.ids)
        for code, place in enumerate(places):
            chosen = choose(code, decoder.guided(F.linear(hidden, head).float()))
            drawn[:, code] = code_of[chosen]
            if code + 1 < len(places):
                hidden = _go_on(decoder, layout, grid, place, ids[chosen])
    return drawn


def _go_on(decoder: _Decoder, layout: Layout, grid: Grid, place: int, chosen: Tensor) -> Tensor:
    """Feed the codes that were chosen for `place`, and the mark behind them where the row ends."""
    fed = chosen.repeat(len(decoder.ids) // decoder.pictures)[:, None]
    mark = layout.forced(place + 1, grid)
    if mark is not None:
        fed = torch.cat([fed, torch.full_like(fed, mark)], dim=1)
    return decoder.feed(fed)


def _lumina(model: nn.Module) -> Lumina:
    inner = bare(model)
    if not isinstance(inner, Lumina):
        raise TypeError(f"{type(inner).__name__} given; allowed: a Lumina, also wrapped by peft")
    return inner


def _check_settings(
    count: int, prompts: int, rows: int, guidance: float, temperature: float, top_k: int, top_p: float
) -> None:
    rules = (
        (count > 0, "seeds", count, "at least one"),
        (prompts == count, "prompts", prompts, f"{count}, the number of seeds"),
        (rows >= count, "rows", rows, f"at least {count}, the number of seeds"),
        (guidance >= 1, "guidance", guidance, "at least 1"),
        (temperature >= 0, "temperature", temperature, "at least 0"),
        (top_k >= 0, "top_k", top_k, "at least 0"),
        (0 < top_p <= 1, "top_p", top_p, "above 0, at most 1"),
    )
    for holds, name, given, allowed in rules:
        if not holds:
            raise ValueError(f"{name} = {given} given for sampling; allowed: {allowed}")
