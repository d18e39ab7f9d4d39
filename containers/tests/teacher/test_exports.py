"""The adapter's files in other people's software: their keys, their headers, their effect."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from teaching import family_of, pixels, plain_picture, plain_pipeline, write_strong_adapter

from proxytune.teacher.adapter import add_adapter, save_adapter
from proxytune.teacher.families.flux import Flux
from proxytune.teacher.kohya_export import KOHYA_FILE, write_kohya
from proxytune.teacher.lora_file import WEIGHTS_FILE, LowRank, read_layers


@pytest.mark.parametrize("adapted", ["attention", "all"])
def test_sdxls_second_file_draws_the_same_in_diffusers_own_pipeline(tiny_model, tmp_path, adapted):
    base = tiny_model("sdxl-tiny")
    adapter = write_strong_adapter(base, tmp_path, adapted=adapted)
    names = {key.partition(".")[0] for key in load_file(adapter / KOHYA_FILE)}
    assert "lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q" in names
    assert ("lora_unet_input_blocks_2_0_op" in names) == (adapted == "all")
    pictures = []
    for file in (None, WEIGHTS_FILE, KOHYA_FILE):
        plain = plain_pipeline(base)
        if file is not None:
            plain.load_lora_weights(str(adapter), weight_name=file)
        pictures.append(pixels([plain_picture(plain, 11)]))
    untuned, tuned, second = pictures
    assert np.abs(tuned - untuned).max() > 20
    assert np.abs(second - tuned).max() <= 1


class Rest(dict):
    """A checkpoint of which only some tensors matter."""

    def pop(self, key, *_):
        return super().pop(key, torch.zeros(12))


@pytest.mark.parametrize("model", ["sd3-medium-tiny", "sd3.5-large-tiny"])
def test_sd3s_second_file_changes_the_authors_checkpoint_as_the_first_changes_diffusers(
    tiny_model, tmp_path, model
):
    """Weight by weight and not by pictures: diffusers' SD3 pipeline does not read files with kohya's keys."""
    from diffusers.loaders.single_file_utils import convert_sd3_transformer_checkpoint_to_diffusers

    adapter = write_strong_adapter(tiny_model(model), tmp_path, adapted="all")
    second = load_file(adapter / KOHYA_FILE)
    changes = Rest({"context_embedder.weight": torch.zeros(12, 1)})
    for key in second:
        if key.endswith(".alpha"):
            name = key.removeprefix("lora_unet_").removesuffix(".alpha")
            down, up = (second[f"lora_unet_{name}.lora_{end}.weight"] for end in ("down", "up"))
            changes[authors_key(name)] = float(second[key]) / down.shape[0] * up @ down
    # diffusers' own knowledge of where the authors' matrices go.
    converted = convert_sd3_transformer_checkpoint_to_diffusers(changes)
    layers = read_layers(adapter, "transformer")
    assert len(layers) > 20
    for name, layer in layers.items():
        delta = converted[f"{name}.weight"]
        assert torch.allclose(layer.delta(delta), delta, atol=1e-5), name


def authors_key(name: str) -> str:
    """`joint_blocks_0_x_block_attn_qkv` as the checkpoint has it."""
    for block in ("x_block", "context_block"):
        before, found, inner = name.partition(f"_{block}_")
        if found:
            return f"{before.replace('blocks_', 'blocks.')}.{block}.{inner.replace('_', '.')}.weight"
    raise AssertionError(name)


def test_fluxs_second_file_is_read_by_diffusers_as_the_first_is(tmp_path):
    """At full width, which diffusers' reader of such files takes for granted."""
    from diffusers.loaders.lora_conversion_utils import _convert_kohya_flux_lora_to_diffusers

    width, rng = 3072, torch.Generator().manual_seed(1)

    def layer(rows, columns):
        down, up = torch.randn(2, columns, generator=rng), torch.randn(rows, 2, generator=rng)
        return LowRank(down, up, scale=1.5)

    attention = ("to_q", "to_k", "to_v")
    layers = {
        **{f"single_transformer_blocks.1.attn.{name}": layer(width, width) for name in attention},
        **{
            f"transformer_blocks.1.attn.{name}": layer(width, width)
            for name in (*attention, "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
        },
        "transformer_blocks.1.ff.net.0.proj": layer(4 * width, width),
        "transformer_blocks.1.ff_context.net.2": layer(width, 4 * width),
    }
    file = write_kohya(tmp_path, layers, lambda name: Flux().original_weight(name, None), {})
    read = _convert_kohya_flux_lora_to_diffusers(load_file(file))
    for name, written in layers.items():
        down, up = (read.pop(f"transformer.{name}.lora_{end}.weight") for end in "AB")
        # The products would be large; the scale may be in the other factor than before.
        probe = torch.randn(down.shape[1], generator=rng)
        assert torch.allclose(
            up @ (down @ probe), 1.5 * written.up @ (written.down @ probe), rtol=1e-3, atol=1e-2
        )
    # What is left is the part of the single block's matrix that nothing adapts.
    assert all("proj_mlp" in key for key in read)
    assert not any(bool(value.any()) for key, value in read.items() if "lora_B" in key)


def wide_flux(base):
    """diffusers' pipeline of a tiny folder with a transformer of full width, of one block of each kind."""
    from diffusers import FluxTransformer2DModel

    pipe = plain_pipeline(base)
    small = pipe.transformer.config
    given = {key: small[key] for key in ("joint_attention_dim", "pooled_projection_dim", "in_channels")}
    with torch.device("meta"):
        network = FluxTransformer2DModel(num_layers=1, num_single_layers=1, guidance_embeds=True, **given)
    network = network.to_empty(device="cpu").requires_grad_(False).eval()
    # Half a billion numbers: the same noise again and again, which is quick.
    noise = 0.02 * torch.randn(104_729, generator=torch.Generator().manual_seed(1))
    for value in network.parameters():
        times = -(-value.numel() // len(noise))
        value.copy_(noise.repeat(times)[: value.numel()].view_as(value))
    pipe.register_modules(transformer=network)
    return pipe


def test_fluxs_second_file_draws_the_same_in_diffusers_own_pipeline(tiny_model, tmp_path):
    """At full width, which diffusers' reader of such files takes for granted."""
    pipe, family = wide_flux(tiny_model("flux-dev-tiny")), Flux()
    network = pipe.transformer

    def picture():
        return pixels([plain_picture(pipe, 11, steps=1)])

    untuned = picture()
    add_adapter(network, rank=3, alpha=6, targets=family.targets["attention"])
    with torch.no_grad():
        for name, value in network.named_parameters():
            if ".lora_" in name:
                value.normal_(std=0.1, generator=torch.Generator().manual_seed(len(name)))
    # One layer's output is enough to prove that the first file was read back; full images take seconds here.
    given = torch.randn(2, network.inner_dim, generator=torch.Generator().manual_seed(2))
    query = "transformer_blocks.0.attn.to_q"
    save_adapter(
        network,
        "transformer",
        family.lora_loader(),
        tmp_path,
        lambda: network.get_submodule(query)(given).detach(),
        {},
    )
    tuned = picture()
    layers = read_layers(tmp_path, "transformer")
    write_kohya(tmp_path, layers, lambda layer: family.original_weight(layer, network.config), {})
    network.delete_adapters("default")
    pipe.load_lora_weights(str(tmp_path), weight_name=KOHYA_FILE)
    assert np.abs(tuned - untuned).max() > 20
    assert np.abs(picture() - tuned).max() <= 1


def test_both_files_have_a_header(tiny_model, tmp_path):
    adapter = write_strong_adapter(
        tiny_model("flux-dev-tiny"), tmp_path, {"modelspec.trigger_phrase": "ohwx"}
    )
    for file in (WEIGHTS_FILE, KOHYA_FILE):
        with safe_open(adapter / file, "pt") as opened:
            assert opened.metadata()["modelspec.trigger_phrase"] == "ohwx"
    with safe_open(adapter / WEIGHTS_FILE, "pt") as opened:
        assert json.loads(opened.metadata()["lora_adapter_metadata"])["transformer.lora_alpha"] == 6
    assert family_of("flux-dev-tiny").architecture == "flux-1-dev/lora"
