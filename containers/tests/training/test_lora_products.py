"""LoRA products in the input's format: nearly the gradients of float32 products, from less kept memory."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from proxytune.student import adapters as student_adapters
from proxytune.student.families import registry as students
from proxytune.student.modules import bare
from proxytune.teacher import adapter as teacher_adapters
from proxytune.teacher.conditioning import SizeAndCrop
from proxytune.teacher.families import registry as teachers
from proxytune.teacher.loading import load_part
from proxytune.teacher.text import PromptEmbeddings
from proxytune.training.activation_memory import kept_bytes
from proxytune.training.lora_products import compute_in_input_dtype

TEACHERS = {"sdxl-tiny": "sdxl", "sd3-medium-tiny": "sd3", "flux-dev-tiny": "flux"}
CPU = torch.device("cpu")


def teacher(base, family, dtype):
    """A network with an adapter of all its layers that can have one, and its loss on fixed noise."""
    kind = teachers.teacher_family(family)
    network = load_part(kind.network_class(), base, kind.network, dtype)
    torch.manual_seed(1)
    teacher_adapters.add_adapter(network, rank=4, alpha=4, targets=kind.targets["all"])
    # Widths of a prompt's states and of its pooled state; SDXL's tiny second text encoder has 32.
    states = network.config.get("cross_attention_dim") or network.config.joint_attention_dim
    pooled = network.config.get("pooled_projection_dim", 32)

    def loss():
        rng = torch.Generator().manual_seed(2)
        latents = torch.randn(2, kind.latent_channels(network), 8, 8, generator=rng)
        prompts = PromptEmbeddings(
            torch.randn(2, 9, states, generator=rng).to(dtype),
            torch.randn(2, pooled, generator=rng).to(dtype),
        )
        crops = [SizeAndCrop.whole(64)] * 2
        prediction = kind.predict(network, latents, torch.tensor([300, 700]), prompts, crops)
        return (prediction.float() - latents).square().mean()

    return network, loss


def llamagen(base, dtype):
    model = students.student_family("llamagen").load_model(base, dtype=dtype, device=CPU)
    torch.manual_seed(1)
    wrapped = student_adapters.add_adapter(model, rank=4, alpha=4).eval()
    gpt = bare(wrapped, nn.Module)
    tokens = torch.randint(256, (2, 64), generator=torch.Generator().manual_seed(3))
    features = torch.randn(2, 5, gpt.config.caption_dim, generator=torch.Generator().manual_seed(4)).to(dtype)
    dropped = torch.tensor([False, False])
    return wrapped, lambda: gpt.loss(tokens, features, drop_caption=dropped)


@pytest.fixture(params=[*TEACHERS, "llamagen-tiny"])
def make(request, tiny_model):
    """Makes a network of a family and its loss, in a format."""
    base = tiny_model(request.param)
    family = TEACHERS.get(request.param)
    return lambda dtype: llamagen(base, dtype) if family is None else teacher(base, family, dtype)


def trained_gradients(model, loss):
    """The gradients of a second step, as the first leaves those of half of the matrices zero."""
    parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
    optimizer = torch.optim.AdamW(parameters.values(), lr=1e-2)
    loss().backward()
    optimizer.step()
    optimizer.zero_grad()
    loss().backward()
    numbers = [number for state in optimizer.state.values() for number in state.values()]
    return {name: value.grad for name, value in parameters.items()}, numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_gradients_are_those_of_products_in_float32(make, monkeypatch, dtype):
    ours, numbers = trained_gradients(*make(dtype))
    for module in (teacher_adapters, student_adapters):
        monkeypatch.setattr(module, "compute_in_input_dtype", lambda model: None)
    theirs, _ = trained_gradients(*make(dtype))
    assert ours.keys() == theirs.keys()
    assert len(ours) > 8
    if dtype == torch.float32:
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    one, other = (torch.cat([grad.flatten() for grad in grads.values()]) for grads in (ours, theirs))
    assert torch.cosine_similarity(one, other, dim=0) >= 0.999
    # Master weights: what the optimizer adds up is float32.
    assert one.dtype == torch.float32
    assert {number.dtype for number in numbers} == {torch.float32}


def test_less_is_kept_in_bfloat16(make, monkeypatch):
    kept = kept_bytes(*make(torch.bfloat16))
    for module in (teacher_adapters, student_adapters):
        monkeypatch.setattr(module, "compute_in_input_dtype", lambda model: None)
    assert kept < 0.9 * kept_bytes(*make(torch.bfloat16))


def test_other_adapters_are_refused():
    biased = get_peft_model(
        nn.Sequential(nn.Linear(4, 4)), LoraConfig(r=2, target_modules=["0"], lora_bias=True)
    )
    with pytest.raises(TypeError, match="without bias"):
        compute_in_input_dtype(biased)
