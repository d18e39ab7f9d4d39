"""The full-size networks have as many parameters as their authors publish."""

import pytest
import torch

from dev.full_size import networks
from dev.full_size.catalogue import STUDENTS, TEACHERS, row
from proxytune.teacher.families import registry

# SDXL and SD3: model cards and diffusers' own configs; FLUX 11.9 B; GPT-XL 775 M and VQ-16 72 M (LlamaGen's
# README); Lumina 7 B, whose checkpoint has 7,013,666,816 without its image tokenizer; Janus's language model
# of 1.65 B with the layers that embed and predict image tokens, without the output layer for words.
PARAMETERS = {
    "sdxl": 2_567_463_684,
    "sd3-medium": 2_028_328_000,
    "sd3.5-large": 8_056_627_520,
    "flux-dev": 11_901_408_320,
    "llamagen-xl": 777_678_080,
    "lumina-mgpt-7b": 7_013_666_816,
    "janus-pro-1b": 1_485_053_952,
}
IMAGE_TOKENIZERS = {"llamagen-xl": 71_883_403, "lumina-mgpt-7b": 68_718_467, "janus-pro-1b": 71_883_403}
# Of SDXL's own VAE; the others have sixteen channels and no layers between them and the latents.
VAES = {"sdxl": 83_653_863, "sd3-medium": 83_819_683, "sd3.5-large": 83_819_683, "flux-dev": 83_819_683}


def count(module):
    return sum(value.numel() for value in module.parameters())


def test_every_large_model_has_its_sizes():
    assert set(TEACHERS) == set(networks.TEACHER_NETWORKS) == set(networks.VAES) == set(networks.TEXTS)
    assert {*TEACHERS, *STUDENTS} == set(PARAMETERS)


@pytest.mark.parametrize("model", TEACHERS)
def test_teachers_have_the_published_number_of_parameters(model):
    family = registry.teacher_family(row(model)["family"])
    network = networks.teacher_network(family.network_class(), model, "meta", torch.bfloat16)
    assert {value.dtype for value in network.parameters()} == {torch.bfloat16}
    assert count(network) == PARAMETERS[model]
    assert count(networks.vae(model, "meta", torch.float32)) == VAES[model]


@pytest.mark.parametrize("model", STUDENTS)
def test_students_have_the_published_number_of_parameters(model):
    assert count(networks.student_transformer(model, "meta", torch.bfloat16)) == PARAMETERS[model]
    assert count(networks.image_tokenizer(model, "meta")) == IMAGE_TOKENIZERS[model]
