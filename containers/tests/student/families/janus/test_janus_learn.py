"""Training of Janus: prompts, and the padding in place of those that are dropped."""

import torch
from learn_job import CAPTION
from students import prepared, proxy_set

from proxytune.student.families.janus.transformer import Janus
from proxytune.student.modules import bare


def test_every_proxy_is_learned_under_its_own_prompt_and_some_under_padding(base, student, tmp_path):
    texts = (CAPTION, "ohwx dog in the snow", CAPTION)
    trainer = prepared("janus", base, proxy_set(tmp_path, texts), caption_dropout=0.5, batch_size=3)
    seen, lm = [], bare(trainer._model, Janus)
    loss = lm.loss
    lm.loss = lambda prompts, codes, weights: (
        seen.extend(zip(prompts, codes.tolist(), strict=True)) or loss(prompts, codes, weights)
    )
    draws = torch.Generator().manual_seed(2)
    for step in range(4):
        trainer.loss(step, draws)
    proxies, shown = trainer.proxy_tokens.tolist(), []
    for prompt, codes in seen:
        number = proxies.index(codes)
        own = student.prompts.encode(texts[number])
        assert prompt in (own, student.prompts.without_words(own))
        shown.append((number, prompt == own))
    assert {number for number, _ in shown[:3]} == {0, 1, 2}
    assert [number for number, _ in shown[:3]] != [number for number, _ in shown[3:6]]
    assert {with_prompt for _, with_prompt in shown} == {True, False}
