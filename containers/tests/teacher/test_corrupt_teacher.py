"""Values computed once for a training or a generation are refused at once where they are not finite."""

import pytest
import torch
from corrupted import TOO_LARGE_FOR_FLOAT16, corrupted
from jobs import write_photos, write_teach_job
from teaching import MODELS, chunk, loaded, photo_set, prepared

from proxytune.contract import hyperparameters
from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.signals import StopRequest
from proxytune.teacher.config import ClassImages
from proxytune.teacher.photos import CROP_POSITIONS, PhotoSet
from proxytune.teacher.trainer import train

NAN = float("nan")
VAE = "vae/diffusion_pytorch_model.safetensors"
# Of each family the last encoder, and its last factor.
LAST_NORM = {
    "sdxl-tiny": ("text_encoder_2", "text_model.final_layer_norm.weight", "CLIPTextModelWithProjection"),
    "sd3-medium-tiny": ("text_encoder_3", "encoder.final_layer_norm.weight", "T5EncoderModel"),
    "sd3.5-large-tiny": ("text_encoder_3", "encoder.final_layer_norm.weight", "T5EncoderModel"),
    "flux-dev-tiny": ("text_encoder_2", "encoder.final_layer_norm.weight", "T5EncoderModel"),
}


@pytest.fixture
def photos(tmp_path):
    return photo_set(tmp_path / "photos")


def refused(part, precision, function, *arguments, **options):
    with pytest.raises(ProxytuneError) as caught:
        function(*arguments, **options)
    assert caught.value.name == "ModelNotFinite"
    assert part in caught.value.what
    assert precision in (caught.value.given or "")
    return caught.value


@pytest.mark.parametrize("model", MODELS)
def test_a_text_encoder_that_overflows_in_half_precision_is_refused_there_only(
    tiny_model, photos, tmp_path, model
):
    part, tensor, kind = LAST_NORM[model]
    base = corrupted(tiny_model(model), tmp_path, f"{part}/model.safetensors", tensor, TOO_LARGE_FOR_FLOAT16)
    error = refused(
        kind, "in float16, for the prompt 'a ohwx dog'", prepared, base, photos, dtype=torch.float16
    )
    assert "float32" in error.remedy
    prepared(base, photos, dtype=torch.bfloat16)


def test_every_clip_of_a_prompt_is_checked(tiny_model, photos, tmp_path):
    tensor = "embeddings.token_embedding.weight"
    base = corrupted(tiny_model("flux-dev-tiny"), tmp_path, "text_encoder/model.safetensors", tensor, NAN)
    refused("text encoder CLIPTextModel", "float32", prepared, base, photos)


def test_a_vae_that_overflows_in_half_precision_is_refused_there_only(tiny_model, photos, tmp_path):
    # The family whose VAE is loaded in the network's own type.
    base = corrupted(
        tiny_model("flux-dev-tiny"), tmp_path, VAE, "encoder.conv_out.bias", TOO_LARGE_FOR_FLOAT16
    )
    refused("VAE AutoencoderKL", "in float16, for image 0 of 3", prepared, base, photos, dtype=torch.float16)
    prepared(base, photos, dtype=torch.bfloat16)


@pytest.mark.parametrize("model", MODELS)
def test_a_corrupt_vae_ends_the_job_before_its_first_step(tiny_model, tmp_path, model):
    base = corrupted(tiny_model(model), tmp_path, VAE, "encoder.conv_out.bias", NAN)
    write_teach_job(tmp_path / "ml", base, family=MODELS[model], model=model)
    folders = Folders(tmp_path / "ml")
    folders.model.mkdir(exist_ok=True)
    error = refused(
        "VAE AutoencoderKL", "float32", train, folders, hyperparameters.read(folders), StopRequest()
    )
    assert "import the model again" in error.remedy
    assert [file.name for file in folders.checkpoints.iterdir()] == ["progress.json"]
    assert not list(folders.model.iterdir())


@pytest.mark.parametrize(
    ("model", "file", "tensor"),
    [
        ("sdxl-tiny", "unet/diffusion_pytorch_model.safetensors", "conv_out.bias"),
        ("sd3-medium-tiny", "transformer/diffusion_pytorch_model.safetensors", "proj_out.bias"),
        ("flux-dev-tiny", "transformer/diffusion_pytorch_model.safetensors", "proj_out.bias"),
    ],
)
def test_a_corrupt_network_is_not_blamed_on_the_learning_rate(
    tiny_model, photos, tmp_path, model, file, tensor
):
    base = corrupted(tiny_model(model), tmp_path, file, tensor, NAN)
    error = refused(
        "network", "in bfloat16, for one fixed noise", prepared, base, photos, dtype=torch.bfloat16
    )
    assert "import the model again" in error.remedy


def test_all_photos_and_class_images_are_checked_before_the_first_step(tiny_model, photos, tmp_path):
    write_photos(tmp_path / "class", ((64, 64), (64, 64)))
    class_images = ClassImages("a dog", PhotoSet(tmp_path / "class", 64), 1.0)
    teacher = prepared(tiny_model("sdxl-tiny"), photos, class_images=class_images)
    # Two photos with nine positions and a square one; two square class images.
    assert len(teacher.latents) == 2 * CROP_POSITIONS + 1 + 2


def test_corrupt_images_are_refused_and_not_generated_black(tiny_model, tmp_path):
    base = corrupted(tiny_model("sdxl-tiny"), tmp_path / "a", VAE, "decoder.conv_out.bias", NAN)
    refused(
        "VAE AutoencoderKL", "float32, for the image of seed 11", loaded(base, None).generate, one_image()
    )
    network = "transformer/diffusion_pytorch_model.safetensors"
    base = corrupted(tiny_model("flux-dev-tiny"), tmp_path / "b", network, "proj_out.bias", NAN)
    error = refused("network FluxTransformer2DModel", "float32", loaded(base, None).generate, one_image())
    assert "learningRate" in error.remedy


def one_image():
    return chunk(seeds=(11,), variant="base", steps=1)


def test_an_expected_prompt_is_refused_before_anything_is_generated(tiny_model, tmp_path):
    part, tensor, kind = LAST_NORM["sd3-medium-tiny"]
    file = f"{part}/model.safetensors"
    generator = loaded(corrupted(tiny_model("sd3-medium-tiny"), tmp_path, file, tensor, NAN), None)
    refused(kind, "'a ohwx dog'", generator.encode_ahead, ["a ohwx dog"])


@pytest.mark.parametrize("value", [NAN, float("inf")])
def test_an_adapter_that_its_last_step_corrupted_is_not_saved(tiny_model, photos, tmp_path, value):
    teacher = prepared(tiny_model("sdxl-tiny"), photos)
    with torch.no_grad():
        for _, parameter in teacher.named_parameters():
            parameter.fill_(value)
    error = refused("trained teacher", "float32", teacher.save, tmp_path / "adapter")
    assert "advanced.teach.learningRate" in error.remedy
