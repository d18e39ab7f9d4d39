import json
import shutil

import pytest
import torch
from jobs import write_photos
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from proxytune.contract.errors import ProxytuneError
from proxytune.teacher.photos import PhotoSet
from proxytune.teacher.sdxl import SDXLTeacher, normalise_latents, restore_latents
from proxytune.teacher.sdxl_adapter import WEIGHTS_FILE, load_adapter
from proxytune.training.states import seed_everything

CPU = torch.device("cpu")
PROMPTS = ["a ohwx dog", "a photo of ohwx dog"]


@pytest.fixture
def photos(tmp_path):
    write_photos(tmp_path / "photos")
    return PhotoSet(tmp_path / "photos", 64)


def prepared(base, photos, *, prompts=PROMPTS, word="ohwx", dtype=None, **changes):
    seed_everything(1)
    shape = {"rank": 2, "alpha": 4, "batch_size": 2, "seed": 1, **changes}
    return SDXLTeacher(base, CPU, dtype).prepare(photos, prompts, word, **shape)


def trained(base, photos, steps=5, **options):
    teacher = prepared(base, photos, **options)
    optimizer = torch.optim.AdamW([value for _, value in teacher.named_parameters()], lr=1e-2)
    draws = torch.Generator().manual_seed(1)
    for step in range(steps):
        teacher.loss(step, draws).backward()
        optimizer.step()
        optimizer.zero_grad()
    return teacher


@pytest.fixture(scope="module")
def saved(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapter")
    write_photos(folder / "photos")
    teacher = trained(tiny_model("sdxl-tiny"), PhotoSet(folder / "photos", 64))
    teacher.save(folder / "model")
    return folder / "model"


def pipeline(base):
    from diffusers import StableDiffusionXLPipeline

    made = StableDiffusionXLPipeline.from_pretrained(base, local_files_only=True)
    made.set_progress_bar_config(disable=True)
    return made


def latents_of(pipe):
    draws = torch.Generator().manual_seed(3)
    return pipe(
        "a ohwx dog", num_inference_steps=2, height=64, width=64, generator=draws, output_type="latent"
    ).images


def test_only_the_attention_projections_are_trained_in_float32(tiny_model, photos):
    names = dict(prepared(tiny_model("sdxl-tiny"), photos).named_parameters())
    assert names
    assert all(".attn" in name and ".lora_" in name for name in names)
    assert all(value.dtype == torch.float32 for value in names.values())


def test_all_layers_of_blocks_are_trained_when_asked_for(tiny_model, photos):
    teacher = prepared(tiny_model("sdxl-tiny"), photos, adapted="all")
    adapted = {name.partition(".lora_")[0] for name, _ in teacher.named_parameters()}
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    layers = {
        name.removesuffix(".base_layer")
        for name, module in teacher.unet.named_modules()
        if isinstance(module, kinds) and ".lora_" not in name
    }
    # Only what carries the timestep and the pooled text keeps its weights.
    assert {name.rpartition(".")[2] for name in layers - adapted} == {"linear_1", "linear_2", "time_emb_proj"}
    assert adapted < layers


def test_a_fresh_adapter_changes_nothing_and_the_loss_is_that_of_predicting_noise(tiny_model, photos):
    # An untrained U-Net knows nothing about the noise: its error is at least the noise's own variance.
    teacher = prepared(tiny_model("sdxl-tiny"), photos, batch_size=16)
    loss = float(teacher.loss(0, torch.Generator().manual_seed(1)).detach())
    assert 0.9 < loss < 2.0


def test_training_on_few_photos_lowers_the_loss(tiny_model, photos):
    teacher = trained(tiny_model("sdxl-tiny"), photos, steps=40, rank=8, alpha=8)
    fresh = prepared(tiny_model("sdxl-tiny"), photos)
    losses = [
        sum(float(each.loss(step, draws).detach()) for step in range(12))
        for each, draws in ((model, torch.Generator().manual_seed(9)) for model in (teacher, fresh))
    ]
    assert losses[0] < 0.97 * losses[1]


def test_v_prediction_is_honoured_and_an_unknown_objective_refused(tiny_model, photos, tmp_path):
    def with_objective(name):
        base = tmp_path / name
        shutil.copytree(tiny_model("sdxl-tiny"), base)
        file = base / "scheduler" / "scheduler_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "prediction_type": name}))
        return base

    epsilon, velocity = (
        prepared(base, photos) for base in (tiny_model("sdxl-tiny"), with_objective("v_prediction"))
    )
    latents, noise = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    steps = torch.tensor([10, 900])
    share = epsilon._schedule.alphas_cumprod[steps].view(2, 1, 1, 1)
    assert torch.equal(epsilon._target(latents, noise, steps), noise)
    expected = share.sqrt() * noise - (1 - share).sqrt() * latents
    assert torch.allclose(velocity._target(latents, noise, steps), expected, atol=1e-6)
    with pytest.raises(ProxytuneError, match="prediction_type sample") as caught:
        prepared(with_objective("sample"), photos)
    assert caught.value.name == "ModelMismatch"


def test_latents_are_sampled_anew_from_what_the_vae_said_once(tiny_model, photos):
    teacher = prepared(tiny_model("sdxl-tiny"), photos)
    draws = torch.Generator().manual_seed(1)
    crop = photos.draw_crop(0, draws)
    samples = torch.cat([teacher._sample_latents(crop, draws) for _ in range(400)])
    assert len(teacher._latents) == 1
    with torch.no_grad():
        asked = teacher._vae.encode(photos.pixels(crop)[None]).latent_dist
    scale = teacher._vae.config.scaling_factor
    assert torch.allclose(
        samples.mean(0), asked.mean[0] * scale, atol=5 * scale * float(asked.std.max()) / 20
    )
    assert torch.allclose(samples.std(0).mean(), asked.std.mean() * scale, rtol=0.05)


def test_latents_with_means_and_deviations_go_there_and_back():
    config = {"scaling_factor": 0.5, "latents_mean": [1.0, -1.0], "latents_std": [2.0, 4.0]}
    latents = torch.tensor([3.0, 7.0]).view(1, 2, 1, 1)
    there = normalise_latents(latents, config)
    assert there.flatten().tolist() == [0.5, 1.0]
    assert torch.equal(restore_latents(there, config), latents)


def test_size_numbers_tell_original_size_and_crop(tiny_model, tmp_path):
    write_photos(tmp_path / "photos", ((200, 100),))
    teacher = prepared(tiny_model("sdxl-tiny"), PhotoSet(tmp_path / "photos", 64), batch_size=8)
    rows = teacher._batch(0, torch.Generator().manual_seed(1)).time_ids.tolist()
    assert all(row[:2] == [100, 200] and row[2] == 0 and row[4:] == [64, 64] for row in rows)
    assert len({row[3] for row in rows}) > 1


@pytest.mark.parametrize("adapted", ["attention", "all"])
def test_diffusers_own_pipeline_loads_the_adapter_with_the_trained_effect(
    tiny_model, photos, tmp_path, adapted
):
    base = tiny_model("sdxl-tiny")
    trained(base, photos, adapted=adapted).save(tmp_path)
    teacher = trained(base, photos, adapted=adapted)
    pipe = pipeline(base)
    untuned = latents_of(pipe)
    pipe.load_lora_weights(str(tmp_path))
    assert pipe.get_active_adapters()
    tuned = latents_of(pipe)
    pipe.unload_lora_weights()
    pipe.unet = teacher.unet.eval()
    in_memory = latents_of(pipe)
    assert float((tuned - untuned).abs().max()) > 1e-3
    assert torch.allclose(tuned, in_memory, atol=1e-5)


def test_in_bfloat16_the_adapter_stays_float32_and_is_read_back(tiny_model, photos, tmp_path, capsys):
    # As on a GPU, with activations computed anew in the backward pass as on a small one.
    teacher = trained(tiny_model("sdxl-tiny"), photos, dtype=torch.bfloat16)
    assert teacher.unet.conv_in.weight.dtype == torch.bfloat16
    assert all(value.dtype == torch.float32 for _, value in teacher.named_parameters())
    plain = [value.clone() for _, value in teacher.named_parameters()]
    teacher.unet.enable_gradient_checkpointing()
    teacher.loss(9, torch.Generator().manual_seed(1)).backward()
    assert all(value.grad is not None for _, value in teacher.named_parameters())
    teacher.save(tmp_path)
    weights = load_file(tmp_path / WEIGHTS_FILE)
    assert len(weights) == len(plain)
    assert all(value.dtype == torch.float32 for value in weights.values())


def test_an_adapter_that_comes_back_with_another_strength_is_noticed(tiny_model, photos, tmp_path):
    teacher = trained(tiny_model("sdxl-tiny"), photos)
    # The config that is written then no longer tells what the trained layers do.
    teacher.unet.peft_config["default"].lora_alpha = 2
    with pytest.raises(ProxytuneError, match="does not give the trained teacher back") as caught:
        teacher.save(tmp_path)
    assert caught.value.name == "ModelMismatch"


def test_the_file_carries_rank_alpha_and_the_prefix(saved):
    with safe_open(saved / WEIGHTS_FILE, "pt") as file:
        facts = json.loads(file.metadata()["lora_adapter_metadata"])
        assert all(key.startswith("unet.") for key in file.keys())  # noqa: SIM118
    assert facts["unet.r"] == 2
    assert facts["unet.lora_alpha"] == 4
    assert facts["unet.target_modules"] == ["to_k", "to_out.0", "to_q", "to_v"]


@pytest.mark.parametrize("damage", ["no metadata", "no prefix", "other model", "no file"])
def test_adapters_that_would_load_silently_wrong_are_refused(tiny_model, saved, tmp_path, damage):
    weights = load_file(saved / WEIGHTS_FILE)
    with safe_open(saved / WEIGHTS_FILE, "pt") as file:
        metadata = file.metadata()
    if damage == "no metadata":
        metadata = {"format": "pt"}
    if damage == "no prefix":
        weights = {key.removeprefix("unet."): value for key, value in weights.items()}
    if damage == "other model":
        weights = {key.replace("attn1", "attn7"): value for key, value in weights.items()}
    if damage != "no file":
        save_file(weights, tmp_path / WEIGHTS_FILE, metadata)
    with pytest.raises(ProxytuneError) as caught:
        load_adapter(pipeline(tiny_model("sdxl-tiny")).unet, tmp_path)
    assert caught.value.name == "ModelMismatch"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda base: shutil.rmtree(base / "vae"), "ModelMissing"),
        (lambda base: (base / "model_index.json").unlink(), "ModelMissing"),
        (lambda base: lose_tensor(base / "unet" / "diffusion_pytorch_model.safetensors"), "ModelMismatch"),
        (lambda base: lose_tensor(base / "text_encoder" / "model.safetensors"), "ModelMismatch"),
        (lambda base: spoil(base / "unet" / "diffusion_pytorch_model.safetensors"), "ModelMismatch"),
        (lambda base: spoil(base / "text_encoder" / "model.safetensors"), "ModelMismatch"),
    ],
    ids=[
        "no vae",
        "no index",
        "unet lacks a tensor",
        "text encoder lacks a tensor",
        "unet is no weights",
        "text encoder is no weights",
    ],
)
def test_a_model_folder_that_is_not_whole_is_refused(tiny_model, photos, tmp_path, change, name):
    base = tmp_path / "base"
    shutil.copytree(tiny_model("sdxl-tiny"), base)
    change(base)
    with pytest.raises(ProxytuneError) as caught:
        prepared(base, photos)
    assert caught.value.name == name


def spoil(file):
    """What an upload that was cut off, or a page of a web site saved in place of weights, looks like."""
    file.write_bytes(b"no weights")


def lose_tensor(file):
    weights = load_file(file)
    del weights[sorted(weights)[3]]
    save_file(weights, file, {"format": "pt"})


def test_a_size_that_the_vae_cannot_halve_is_refused(tiny_model, tmp_path):
    write_photos(tmp_path)
    with pytest.raises(ProxytuneError, match="multiple of 8"):
        prepared(tiny_model("sdxl-tiny"), PhotoSet(tmp_path, 60))


def test_a_token_word_that_is_lost_is_refused(tiny_model, photos):
    with pytest.raises(ProxytuneError) as caught:
        prepared(tiny_model("sdxl-tiny"), photos, prompts=["a S* dog"], word="S*")
    assert caught.value.name == "TokenWordUnusable"
