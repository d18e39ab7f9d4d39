"""Drawing pictures: guidance in one batch, a static cache, a random stream for each picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from proxytune.student.decoding import Decoder, padded
from proxytune.student.families.janus.transformer import Janus
from proxytune.student.modules import bare, evaluating
from proxytune.student.sampling import check_settings, chooser, filled


@torch.no_grad()
def sample_codes(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    without_words: Sequence[Sequence[int]],
    seeds: Sequence[int],
    *,
    guidance: float = 5.0,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    rows: int | None = None,
) -> Tensor:
    """Draw the codes of one picture a seed, all in one batch. Defaults: Janus-Pro's own.

    A picture's random numbers come from its own seed alone. What is left of the batch's influence is
    rounding: prompts of one length and `rows` keep all shapes the same.

    Args:
        model: a Janus, also wrapped by peft. Its train or eval mode is as before afterwards.
        prompts: the ids before each picture, one prompt a seed.
        without_words: what stands for each of them in the rows without prompt.
        guidance: at least 1; 1 leaves the rows without prompt out and halves the work.
        temperature: 0 takes the likeliest code (`top_k`, `top_p` and the seeds then play no part).
        top_k: 0 keeps all codes. top_p: 1 keeps all codes.
        rows: pad the batch to this many pictures.

    Returns:
        (len(seeds), codes a picture) int64 codes of the picture tokenizer, row by row.

    Raises:
        ValueError: settings outside the above.
    """
    lm, count = _janus(model), len(seeds)
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
    before = [*filled(prompts, rows), *([] if guidance == 1.0 else filled(without_words, rows))]
    length, device = lm.codes_a_picture, lm.device
    choose = chooser(filled(seeds, rows), length, device, temperature=temperature, top_k=top_k, top_p=top_p)
    drawn = torch.empty(rows, length, dtype=torch.long, device=device)
    with evaluating(model):
        decoder, hidden = _begin(lm, before, guidance)
        for place in range(length):
            drawn[:, place] = chosen = choose(decoder.guided(lm.logits(hidden).float()), place)
            if place + 1 < length:
                hidden = decoder.feed(lm.embed_codes(decoder.for_all_rows(chosen)[:, None]))
    return drawn[:count]


def _begin(lm: Janus, before: Sequence[Sequence[int]], guidance: float) -> tuple[Decoder, Tensor]:
    """Feed what stands before the pictures; return the decoder, and what the model makes of it."""
    ids, padding = padded(before, 0, lm.device)
    decoder = Decoder(
        lambda fed, mask, positions, cache: lm.hidden(fed, mask=mask, positions=positions, cache=cache),
        layers=lm.config.text_config.num_hidden_layers,
        padding=padding,
        length=ids.shape[1] + lm.codes_a_picture - 1,
        guidance=guidance,
    )
    return decoder, decoder.feed(lm.embed_text(ids))


def _janus(model: nn.Module) -> Janus:
    inner = bare(model)
    if not isinstance(inner, Janus):
        raise TypeError(f"{type(inner).__name__} given; allowed: a Janus, also wrapped by peft")
    return inner
