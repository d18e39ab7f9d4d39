"""Training with every family: adapters are trained, saved and read back; invalid inputs are refused."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from jobs import write_photos
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from teaching import MODELS, family_of, full_size, photo_set, plain_pipeline, prepared, trained

from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.teacher.adapter import load_adapter
from proxytune.teacher.latents import normalise_latents, restore_latents
from proxytune.teacher.lora_file import WEIGHTS_FILE
from proxytune.teacher.photos import Crop, PhotoSet
from proxytune.training.loop import LoopSettings, run
from proxytune.training.states import seed_everything

CATALOGUE = Path(__file__).parents[3] / "containers" / "dev" / "models.json"


@pytest.fixture
def photos(tmp_path):
    return photo_set(tmp_path / "photos")


@pytest.fixture(scope="module", params=MODELS)
def saved(request, tiny_model, tmp_path_factory):
    """A tiny model and an adapter trained for it."""
    base, folder = tiny_model(request.param), tmp_path_factory.mktemp("adapter")
    trained(base, photo_set(folder / "photos"), steps=2).save(folder / "model")
    return base, folder / "model"


@pytest.mark.parametrize("model", MODELS)
def test_only_the_attention_projections_are_trained_in_float32(tiny_model, photos, model):
    names = dict(prepared(tiny_model(model), photos).named_parameters())
    assert names
    assert all(".attn" in name and ".lora_" in name for name in names)
    assert all(value.dtype == torch.float32 for value in names.values())


@pytest.mark.parametrize(
    ("model", "layers", "parameters"),
    [
        ("sdxl", 560, 1_451_520),
        ("sd3-medium", 191, 586_752),
        ("sd3.5-large", 303, 1_473_792),
        ("flux-dev", 342, 2_801_664),
    ],
)
@pytest.mark.parametrize("preset", ["draft", "standard", "best"])
def test_full_size_models_have_the_adapters_of_diffusers_scripts(model, preset, layers, parameters):
    # Modules, and parameters per rank, of diffusers' DreamBooth-LoRA scripts on the official configs.
    recipe = json.loads(CATALOGUE.read_text("utf-8"))[model]["recipes"][preset]
    ends = family_of(f"{model}-tiny").targets[recipe.get("adapted", "attention")]
    adapted = [
        module
        for name, module in full_size(model).named_modules()
        if any(name.endswith(f".{end}") for end in ends)
    ]
    assert (len(adapted), sum(sum(module.weight.shape) for module in adapted)) == (layers, parameters)


def test_all_layers_of_blocks_are_trained_on_request(tiny_model, photos):
    teacher = prepared(tiny_model("sdxl-tiny"), photos, adapted="all")
    adapted = {name.partition(".lora_")[0] for name, _ in teacher.named_parameters()}
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    layers = {
        name.removesuffix(".base_layer")
        for name, module in teacher.network.named_modules()
        if isinstance(module, kinds) and ".lora_" not in name
    }
    # Only the layers for the timestep and the pooled text have no adapter.
    assert {name.rpartition(".")[2] for name in layers - adapted} == {"linear_1", "linear_2", "time_emb_proj"}
    assert adapted < layers


def test_a_new_adapter_changes_nothing_and_the_loss_is_that_of_predicting_noise(tiny_model, photos):
    # An untrained U-Net knows nothing about the noise: its error is at least the noise's own variance.
    teacher = prepared(tiny_model("sdxl-tiny"), photos, batch_size=16)
    loss = float(teacher.loss(0, torch.Generator().manual_seed(1)).detach())
    assert 0.9 < loss < 2.0


def test_training_on_few_photos_lowers_the_loss(tiny_model, photos):
    teacher = trained(tiny_model("sdxl-tiny"), photos, steps=40, rank=8, alpha=8)
    fresh = prepared(tiny_model("sdxl-tiny"), photos)
    losses = [
        sum(float(each.loss(step, rng).detach()) for step in range(12))
        for each, rng in ((model, torch.Generator().manual_seed(9)) for model in (teacher, fresh))
    ]
    assert losses[0] < 0.97 * losses[1]


def test_latents_are_sampled_at_every_use_from_one_output_of_the_vae(tiny_model, photos):
    source = prepared(tiny_model("sdxl-tiny"), photos).latents
    rng = torch.Generator().manual_seed(1)
    crop = photos.random_crop(0, rng)
    samples = torch.cat([source.sample(photos, crop, rng) for _ in range(400)])
    # Every crop was encoded before the first step, and none is encoded again.
    assert len(source) == sum(len(photos.crops(photo)) for photo in range(len(photos))) == 19
    with torch.no_grad():
        output = source.vae.encode(photos.pixels(crop)[None]).latent_dist
    scale = source.vae.config.scaling_factor
    assert torch.allclose(
        samples.mean(0), output.mean[0] * scale, atol=5 * scale * float(output.std.max()) / 20
    )
    assert torch.allclose(samples.std(0).mean(), output.std.mean() * scale, rtol=0.05)


def test_every_crop_of_every_set_has_latents_of_its_own(tiny_model, photos, tmp_path):
    source = prepared(tiny_model("sdxl-tiny"), photos).latents
    write_photos(tmp_path / "others", ((64, 90),))
    others = PhotoSet(tmp_path / "others", 64)
    # The same photo at two places, and the same place of two photos that are both the first of their set.
    crops = [(photos, Crop(0, 0, 0)), (photos, Crop(0, 0, 32)), (others, Crop(0, 0, 0))]
    for images, crop in [*crops, *crops]:
        ours = source.sample(images, crop, torch.Generator().manual_seed(1))
        with torch.no_grad():
            output = source.vae.encode(images.pixels(crop)[None]).latent_dist
        expected = output.sample(torch.Generator().manual_seed(1)) * source.vae.config.scaling_factor
        assert torch.allclose(ours, expected, atol=1e-5)


def test_latents_with_means_and_deviations_are_normalised_and_restored():
    config = {"scaling_factor": 0.5, "latents_mean": [1.0, -1.0], "latents_std": [2.0, 4.0]}
    latents = torch.tensor([3.0, 7.0]).view(1, 2, 1, 1)
    normalised = normalise_latents(latents, config)
    assert normalised.flatten().tolist() == [0.5, 1.0]
    assert torch.equal(restore_latents(normalised, config), latents)


def test_a_shift_is_subtracted_before_scaling():
    config = {"scaling_factor": 1.5305, "shift_factor": 0.0609, "latents_mean": None, "latents_std": None}
    latents = torch.tensor([0.0609, 1.0609]).view(1, 2, 1, 1)
    assert normalise_latents(latents, config).flatten().tolist() == pytest.approx([0.0, 1.5305])
    assert torch.allclose(restore_latents(normalise_latents(latents, config), config), latents)


def test_the_conditioning_has_the_trained_size_and_the_crops_distance_from_the_middle(tiny_model, tmp_path):
    write_photos(tmp_path / "photos", ((200, 100),))
    teacher = prepared(tiny_model("sdxl-tiny"), PhotoSet(tmp_path / "photos", 64))
    rng = torch.Generator().manual_seed(1)
    crops = [teacher._sample(teacher._photos, position, rng)[1] for position in range(8)]
    assert all((crop.original, crop.corner[0], crop.size) == ((64, 64), 0, 64) for crop in crops)
    across = {crop.corner[1] for crop in crops}
    assert len(across) > 1
    assert across <= {0, 8, 16, 24, 32}


@pytest.mark.parametrize(
    ("model", "adapted"), [*((model, "attention") for model in MODELS), ("sdxl-tiny", "all")]
)
def test_stopped_by_sigterm_and_resumed_it_gives_the_adapter_of_an_undisturbed_run(
    tiny_model, photos, tmp_path, model, adapted
):
    settings = LoopSettings(steps=4, checkpoint_every=100, learning_rate=1e-2, seed=3)

    def train(folder, end_after=None):
        teacher = prepared(tiny_model(model), photos, adapted=adapted)
        before, stop = signal.getsignal(signal.SIGTERM), StopRequest()
        stop.install()

        def after_step(done):
            if done == end_after:
                os.kill(os.getpid(), signal.SIGTERM)

        store, progress = CheckpointStore(folder, "settings"), ProgressFile(folder, "teach", 4)
        try:
            run(teacher, settings, store, progress, stop, after_step=after_step)
        finally:
            signal.signal(signal.SIGTERM, before)
        return dict(teacher.named_parameters())

    undisturbed = train(tmp_path / "a")
    with pytest.raises(SystemExit):
        train(tmp_path / "b", end_after=2)
    # Another process would not have these random states.
    seed_everything(999)
    resumed = train(tmp_path / "b")
    assert undisturbed.keys() == resumed.keys()
    assert all(torch.equal(undisturbed[name], resumed[name]) for name in undisturbed)
    assert any(float(value.detach().abs().max()) > 0 for name, value in resumed.items() if "lora_B" in name)


@pytest.mark.parametrize("model", MODELS)
def test_in_bfloat16_the_adapter_stays_float32_and_is_read_back(tiny_model, photos, tmp_path, model):
    # As on a GPU, with activation checkpointing as on a small one.
    teacher = trained(tiny_model(model), photos, steps=3, dtype=torch.bfloat16)
    assert teacher.network.dtype == torch.bfloat16
    vae_type = torch.float32 if family_of(model).vae_float32 else torch.bfloat16
    assert teacher.latents.vae.dtype == vae_type
    assert all(value.dtype == torch.float32 for _, value in teacher.named_parameters())
    plain = [value.clone() for _, value in teacher.named_parameters()]
    teacher.network.enable_gradient_checkpointing()
    teacher.loss(9, torch.Generator().manual_seed(1)).backward()
    assert all(value.grad is not None for _, value in teacher.named_parameters())
    teacher.save(tmp_path)
    weights = load_file(tmp_path / WEIGHTS_FILE)
    assert len(weights) == len(plain)
    assert all(value.dtype == torch.float32 for value in weights.values())


def test_an_adapter_that_is_read_back_with_another_strength_is_refused(tiny_model, photos, tmp_path):
    teacher = trained(tiny_model("sdxl-tiny"), photos)
    # The config that is written then differs from the trained layers.
    teacher.network.peft_config["default"].lora_alpha = 2
    with pytest.raises(ProxytuneError, match="does not give the trained teacher back") as caught:
        teacher.save(tmp_path)
    assert caught.value.name == "ModelMismatch"


def test_the_file_has_rank_alpha_and_the_prefix(saved):
    base, adapter = saved
    family = family_of(base.name)
    with safe_open(adapter / WEIGHTS_FILE, "pt") as file:
        facts = json.loads(file.metadata()["lora_adapter_metadata"])
        # An opened file can list its keys, but cannot be iterated.
        assert all(key.startswith(f"{family.network}.") for key in file.keys())  # noqa: SIM118
    assert facts[f"{family.network}.r"] == 2
    assert facts[f"{family.network}.lora_alpha"] == 4
    assert facts[f"{family.network}.target_modules"] == sorted(family.targets["attention"])


@pytest.mark.parametrize("damage", ["no metadata", "no prefix", "other model", "no file"])
def test_adapters_that_would_be_loaded_wrongly_without_an_error_are_refused(saved, tmp_path, damage):
    base, adapter = saved
    network = family_of(base.name).network
    weights = load_file(adapter / WEIGHTS_FILE)
    with safe_open(adapter / WEIGHTS_FILE, "pt") as file:
        metadata = file.metadata()
    if damage == "no metadata":
        metadata = {"format": "pt"}
    if damage == "no prefix":
        weights = {key.removeprefix(f"{network}."): value for key, value in weights.items()}
    if damage == "other model":
        weights = {key.replace("to_q", "to_z"): value for key, value in weights.items()}
    if damage != "no file":
        save_file(weights, tmp_path / WEIGHTS_FILE, metadata)
    with pytest.raises(ProxytuneError) as caught:
        load_adapter(getattr(plain_pipeline(base), network), network, tmp_path)
    assert caught.value.name == "ModelMismatch"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda base: shutil.rmtree(base / "vae"), "ModelMissing"),
        (lambda base: (base / "model_index.json").unlink(), "ModelMissing"),
        (lambda base: lose_tensor(base / "unet" / "diffusion_pytorch_model.safetensors"), "ModelMismatch"),
        (lambda base: lose_tensor(base / "text_encoder" / "model.safetensors"), "ModelMismatch"),
        (lambda base: corrupt(base / "unet" / "diffusion_pytorch_model.safetensors"), "ModelMismatch"),
        (lambda base: corrupt(base / "text_encoder" / "model.safetensors"), "ModelMismatch"),
    ],
    ids=[
        "no vae",
        "no index",
        "unet lacks a tensor",
        "text encoder lacks a tensor",
        "corrupt unet",
        "corrupt text encoder",
    ],
)
def test_an_incomplete_model_folder_is_refused(tiny_model, photos, tmp_path, change, name):
    base = tmp_path / "sdxl-tiny"
    shutil.copytree(tiny_model("sdxl-tiny"), base)
    change(base)
    with pytest.raises(ProxytuneError) as caught:
        prepared(base, photos)
    assert caught.value.name == name


def corrupt(file):
    """As after an interrupted upload, or with a web page in place of the weights."""
    file.write_bytes(b"no weights")


def lose_tensor(file):
    weights = load_file(file)
    del weights[sorted(weights)[3]]
    save_file(weights, file, {"format": "pt"})


@pytest.mark.parametrize(
    ("model", "multiple"), [("sdxl-tiny", 8), ("sd3-medium-tiny", 16), ("flux-dev-tiny", 16)]
)
def test_a_size_that_the_model_cannot_use_is_refused(tiny_model, tmp_path, model, multiple):
    write_photos(tmp_path)
    with pytest.raises(ProxytuneError, match=f"multiple of {multiple}"):
        prepared(tiny_model(model), PhotoSet(tmp_path, 60))


@pytest.mark.parametrize("model", MODELS)
def test_a_token_word_that_the_tokenizers_split_is_refused(tiny_model, photos, model):
    with pytest.raises(ProxytuneError) as caught:
        prepared(tiny_model(model), photos, prompts=["a S* dog"], token_word="S*")
    assert caught.value.name == "TokenWordUnusable"
