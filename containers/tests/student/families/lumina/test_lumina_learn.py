"""Training of Lumina: the layers with the adapter, the sequences, and the kept activations."""

import pytest
import torch
from learn_job import CAPTION
from students import prepared, proxy_set

from proxytune.student.families.lumina.checkpoint import load_student
from proxytune.student.families.lumina.training_batch import training_batch
from proxytune.student.families.lumina.transformer import Lumina
from proxytune.student.modules import bare


@pytest.fixture(scope="module")
def base(tiny_model):
    return tiny_model("lumina-tiny")


def test_the_adapter_is_on_the_attention(base, tmp_path):
    trainer = prepared("lumina", base, proxy_set(tmp_path))
    assert {name.removesuffix(".default.weight") for name, _ in trainer.named_parameters()} == {
        f"base_model.model.model.layers.{layer}.self_attn.{name}.lora_{side}"
        for layer in range(2)
        for name in ("q_proj", "k_proj", "v_proj", "o_proj")
        for side in "AB"
    }


def test_every_proxy_is_learned_under_its_own_prompt_and_some_under_none(base, tmp_path):
    snow = "ohwx dog in the snow"
    proxies = proxy_set(tmp_path, (CAPTION, snow, CAPTION))
    trainer = prepared("lumina", base, proxies, caption_dropout=0.5, batch_size=3)
    student, seen = load_student(base), []
    lumina = bare(trainer._model, Lumina)
    loss = lumina.loss
    lumina.loss = lambda ids, labels, weights: (
        seen.append((ids, labels)) or loss(ids, labels, weights=weights)
    )
    draws = torch.Generator().manual_seed(2)
    for step in range(4):
        trainer.loss(step, draws)
    blocks, shown = student.layout.block(trainer.proxy_tokens, student.grid).tolist(), []
    prompts = [student.prompts.encode(text, 64, 64) for text in (CAPTION, snow, CAPTION)]
    for ids, labels in seen:
        for row, wanted in zip(ids.tolist(), labels.tolist(), strict=True):
            start = row.index(student.layout.vocabulary.start)
            number = blocks.index(row[start : start + student.grid.block])
            assert row[:start] in ([], prompts[number])
            learnt = [*blocks[number], student.layout.vocabulary.separator]
            rest = len(row) - start - len(learnt)
            assert row[start:] == [*learnt, *[0] * rest]
            assert wanted == [*[-100] * start, *learnt, *[-100] * rest]
            shown.append((number, start > 0))
    assert [number for number, _ in shown[:3]] != [number for number, _ in shown[3:6]]
    assert {number for number, _ in shown[:3]} == {0, 1, 2}
    assert {with_prompt for _, with_prompt in shown} == {True, False}


def test_the_ids_of_a_batch_are_those_of_the_golden_layout():
    from dev.golden.lumina_lm import LAYOUT
    from proxytune.student.families.lumina.layout import Grid

    ids, labels = training_batch(LAYOUT, Grid(2, 2), [[0, 9, 8710], []], torch.tensor([[1, 2, 3, 4]] * 2))
    picture = [8197, 8805, 8805, 5, 6, 8803, 7, 8, 8803, 8196, 8710]
    assert ids.tolist() == [[0, 9, 8710, *picture], [*picture, 0, 0, 0]]
    assert labels.tolist() == [[-100, -100, -100, *picture], [*picture, -100, -100, -100]]
