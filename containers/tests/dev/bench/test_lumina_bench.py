"""The official way of Lumina in the bench computes what ours computes."""

import math

import pytest
import torch

from dev.bench import lumina_sides, official_lumina
from proxytune.student.families.lumina.checkpoint import load_student
from proxytune.student.families.lumina.sampling import sample_tokens
from proxytune.student.families.lumina.training_batch import training_batch


@pytest.fixture(scope="module")
def student(tiny_model):
    made = load_student(tiny_model("lumina-tiny"), image_size=64)
    made.lm.eval()
    return made


def test_the_reference_trains_to_the_same_loss_and_gradients(student):
    codes = torch.randint(256, (2, student.grid.tokens), generator=torch.Generator().manual_seed(2))
    prompts = [student.layout.prompt([300, 301, 302]), []]
    ids, labels = training_batch(student.layout, student.grid, prompts, codes)
    gradients = []
    for loss in (official_lumina.train_loss(student.lm, ids, labels), student.lm.loss(ids, labels)):
        student.lm.zero_grad()
        loss.backward()
        gradients.append([loss.detach(), *(value.grad.clone() for value in student.lm.parameters())])
    for theirs, ours in zip(*gradients, strict=True):
        assert (theirs - ours).abs().max() < 1e-5 * max(1.0, theirs.abs().max().item())


@pytest.mark.parametrize("guidance", [1.5, 4.0])
def test_the_reference_samples_the_same_likeliest_codes(student, guidance):
    lm, layout, grid = student.lm, student.layout, student.grid
    prompts = [layout.prompt([300, 301, 302]), layout.prompt([310])]
    theirs = official_lumina.sample(lm, layout, prompts, grid, guidance=guidance, temperature=0)
    ours = sample_tokens(lm, layout, prompts, grid, [0, 1], guidance=guidance, temperature=0)
    assert torch.equal(theirs, ours)
    assert len(ours.unique()) > 3
    assert not torch.equal(ours[0], ours[1])


def test_the_reference_samples_from_the_top(student):
    lm, layout, grid = student.lm, student.layout, student.grid
    given = (lm, layout, [layout.prompt([300])], grid)
    torch.manual_seed(0)
    one = official_lumina.sample(*given, guidance=4.0, top_k=5)
    assert not torch.equal(one, official_lumina.sample(*given, guidance=4.0, top_k=5))
    likeliest = official_lumina.sample(*given, guidance=4.0, temperature=0)
    assert torch.equal(official_lumina.sample(*given, guidance=4.0, top_k=1), likeliest)


SIZES = {"dim": 32, "layers": 1, "heads": 2, "image_tokens": 16, "caption_tokens": 9, "batch": 2}


@pytest.mark.parametrize("side", ["ours", "reference"])
def test_a_side_trains_and_samples_complete_pictures(side, monkeypatch):
    losses = []
    for module, name in ((official_lumina, "train_loss"), (lumina_sides.Lumina, "loss")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, real=real: losses.append(real(*given)) or losses[-1])
    lumina_sides.training(side, SIZES)()
    # Fresh weights guess: each of the ids is as likely.
    guessing = math.log(lumina_sides.CODES + lumina_sides.WORDS)
    assert [loss.item() for loss in losses] == [pytest.approx(guessing, abs=0.1)]
    assert lumina_sides.sampling(side, SIZES)().shape == (2, 16)
