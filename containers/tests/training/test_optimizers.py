"""Each training uses the optimizer settings of an official one, and the loop applies them as torch does."""

import pytest
import torch
from torch import nn

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.student.config import TrainConfig
from proxytune.student.families import registry
from proxytune.student.lora_trainer import StudentTrainer
from proxytune.training.loop import LoopSettings, Trainable, run

# Family -> AdamW's betas, weight decay and epsilon, and the largest norm of a gradient.
STUDENTS = {
    # The defaults of LlamaGen's train_t2i.py.
    "llamagen": ((0.9, 0.95), 0.05, 1e-8, 1.0),
    # Lumina-mGPT's exps/7B.sh and xllmx/solvers/finetune/finetune.py.
    "lumina": ((0.9, 0.95), 0.1, 1e-8, 4.0),
    # Janus has no public training code: betas and clip as in arXiv 2410.13848, the rest LlamaGen's.
    "janus": ((0.9, 0.95), 0.05, 1e-8, 1.0),
}
# The defaults of diffusers' DreamBooth-LoRA scripts, the same for SDXL, SD3 and FLUX.
TEACHERS = ((0.9, 0.999), 1e-4, 1e-8, 1.0)


def numbers_of(settings):
    return settings.betas, settings.weight_decay, settings.eps, settings.clip


@pytest.mark.parametrize("family", sorted(registry.FAMILIES))
def test_a_student_has_the_optimizer_of_its_official_training(family):
    config = TrainConfig("a ohwx dog", "ohwx", 0.1, rank=2, alpha=2, batch_size=1, seed=9)
    trainer = StudentTrainer(registry.student_family(family), config)
    settings = trainer.loop_settings(steps=8, checkpoint_every=4, learning_rate=3e-4)
    assert numbers_of(settings) == STUDENTS[family]
    # Those of the recipe; no official training that we follow has a long warm-up.
    assert (settings.steps, settings.checkpoint_every, settings.learning_rate) == (8, 4, 3e-4)
    assert (settings.seed, settings.warmup) == (9, 0)


def test_teachers_have_that_of_diffusers_scripts():
    assert numbers_of(LoopSettings(steps=1, checkpoint_every=1, learning_rate=1e-4, seed=1)) == TEACHERS


class Point(nn.Module, Trainable):
    """A vector whose gradients are alternately long and short, so that clipping shows in AdamW's moments."""

    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))

    def loss(self, step, rng):
        return (0.01 if step % 2 else 10.0) * (self.place * torch.tensor([1.0, 2.0, -0.5])).square().sum()


@pytest.mark.parametrize("settings", [TEACHERS, *STUDENTS.values(), ((0.5, 0.7), 0.3, 0.2, 0.1)])
def test_a_training_is_adamw_over_clipped_gradients(tmp_path, settings):
    betas, weight_decay, eps, clip = settings
    ours, plain, steps = Point(), Point(), 6
    given = {"learning_rate": 0.1, "seed": 1, "betas": betas, "weight_decay": weight_decay, "eps": eps}
    run(
        ours,
        LoopSettings(steps=steps, checkpoint_every=steps, clip=clip, **given),
        CheckpointStore(tmp_path, "settings"),
        ProgressFile(tmp_path, "learn", steps),
        StopRequest(),
    )
    optimizer = torch.optim.AdamW([plain.place], lr=0.1, betas=betas, weight_decay=weight_decay, eps=eps)
    for step in range(steps):
        optimizer.zero_grad()
        plain.loss(step, None).backward()
        norm = plain.place.grad.norm()
        plain.place.grad *= min(1.0, float(clip / norm))
        optimizer.step()
    assert torch.allclose(ours.place, plain.place, rtol=1e-5)
