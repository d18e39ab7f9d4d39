"""The models as the product reads them: it computes the functions that were trained."""

import numpy as np
import pytest
import torch
from PIL import Image

from dev.pretraining import student, teacher
from dev.pretraining.encoders import CLIP_VIEW, DINO_VIEW, seen
from dev.pretraining.folders import halve, size_of
from dev.pretraining.vae import fold, make_vae
from proxytune.images.chunk import Chunk, PictureRequest
from proxytune.metrics.encoders import ClipEncoder, DinoEncoder
from proxytune.student.families import registry as students
from proxytune.student.families.llamagen import load_student, trim_caption
from proxytune.teacher.families import registry as teachers
from proxytune.teacher.families.sdxl import SDXL
from proxytune.teacher.latents import normalise_latents

pytestmark = pytest.mark.slow

PROMPTS = ["a photo of a ohwx car at sunset", "a fish", "a ohwx bear on a wooden table"]
CPU = torch.device("cpu")
# float16 keeps eleven bits.
HALF = 2e-3


def test_all_weights_together_are_small_and_in_16_bits(cut_off):
    from safetensors.torch import load_file

    _, models = cut_off
    assert {folder.name for folder in models.iterdir()} == {
        "sdxl-miniature",
        "ip-adapter-miniature",
        "llamagen-miniature",
        "clip-miniature",
        "dino-miniature",
        "clipseg-miniature",
        "siglip-miniature",
    }
    assert size_of(models) < 60e6
    for file in models.rglob("*.safetensors"):
        assert {value.dtype for value in load_file(file).values()} == {torch.float16}, file


def test_a_weight_that_16_bits_cannot_hold_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"w": torch.tensor([1e6])}, tmp_path / "m.safetensors")
    with pytest.raises(OverflowError, match="w holds 1e"):
        halve(tmp_path)


def test_the_teacher_reads_prompts_as_it_was_trained_to(cut_off):
    pretraining, models = cut_off
    module = pretraining.trained("teacher")
    encoders = SDXL().load_text_encoders(models / "sdxl-miniature", torch.float32)
    embeddings = SDXL().encode_prompts(encoders, PROMPTS)
    states, pooled = embeddings.states, embeddings.pooled
    ids = [torch.tensor(t(PROMPTS, padding="max_length").input_ids) for t in teacher.make_tokenizers()]
    own_states, own_pooled = teacher.encode_ids(module, ids)
    torch.testing.assert_close(states, own_states, atol=HALF, rtol=HALF)
    torch.testing.assert_close(pooled, own_pooled, atol=HALF, rtol=HALF)
    assert states.shape == (3, 24, 128)


def test_the_teachers_latents_are_standardised_by_the_vae_itself(cut_off):
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    pretraining, models = cut_off
    vae = AutoencoderKL.from_pretrained(models / "sdxl-miniature" / "vae", local_files_only=True).float()
    # With them in the config, diffusers' SDXL pipeline fails for any number of channels but four.
    assert vae.config.latents_mean is None
    assert vae.config.scaling_factor == 1
    pictures = pretraining.corpus.pictures(torch.arange(4))
    expected, shift, scale = pretraining.latents()
    with torch.no_grad():
        spread = vae.encode(pictures).latent_dist
        trained = pretraining.trained("vae")
        decoded = trained.decode(spread.mean * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)).sample
        torch.testing.assert_close(spread.mean, expected[:4, 0].float(), atol=0.1, rtol=0.02)
        torch.testing.assert_close(spread.std, expected[:4, 1].float(), atol=0.01, rtol=0.02)
        torch.testing.assert_close(vae.decode(spread.mean).sample, decoded, atol=5 * HALF, rtol=5 * HALF)
    torch.testing.assert_close(normalise_latents(spread.mean, vae.config), spread.mean)


def test_folding_changes_the_latents_and_no_decoded_picture():
    vae = make_vae().eval()
    shift, scale = torch.linspace(-1, 1, 8), torch.linspace(0.5, 2, 8)
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        raw, plain = (
            vae.encode(pictures).latent_dist,
            vae.decode(vae.encode(pictures).latent_dist.mean).sample,
        )
        fold(vae, shift, scale)
        folded = vae.encode(pictures).latent_dist
        torch.testing.assert_close(
            folded.mean, (raw.mean - shift.view(1, 8, 1, 1)) / scale.view(1, 8, 1, 1), atol=1e-5, rtol=1e-4
        )
        torch.testing.assert_close(folded.std, raw.std / scale.view(1, 8, 1, 1), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(vae.decode(folded.mean).sample, plain, atol=1e-4, rtol=1e-4)


def chunk(sampler):
    pictures = tuple(
        PictureRequest(index=number, prompt=prompt, seed=number) for number, prompt in enumerate(PROMPTS)
    )
    return Chunk("synthesize", 0, "base", 32, 2, sampler, pictures)


def test_the_product_generates_with_both_models(cut_off):
    _, models = cut_off
    generated = []
    for generator, folder, sampler in (
        (
            teachers.image_generator("sdxl"),
            "sdxl-miniature",
            {"kind": "diffusion", "steps": 4, "guidance": 3},
        ),
        (
            students.image_generator("llamagen"),
            "llamagen-miniature",
            {"kind": "autoregressive", "guidance": 1.75, "temperature": 1, "top_k": 0, "top_p": 0.8},
        ),
    ):
        generator.load(models / folder, None, CPU)
        generated.append(generator.generate(chunk(sampler)))
    for pictures in generated:
        assert [picture.size for picture in pictures] == [(32, 32)] * 3
        assert not np.array_equal(*map(np.asarray, pictures[:2]))


def test_the_student_reads_captions_as_it_was_trained_to(cut_off):
    pretraining, models = cut_off
    read = load_student(models / "llamagen-miniature")
    features, mask = trim_caption(*read.captions.encode(PROMPTS))
    tokenizer = student.make_tokenizer()
    padded = tokenizer(PROMPTS, padding=True, return_tensors="pt")
    module = pretraining.trained("student")
    own, own_mask = student.encode_ids(module["text"], padded.input_ids, padded.attention_mask)
    assert torch.equal(mask, own_mask)
    torch.testing.assert_close(features, own, atol=5 * HALF, rtol=5 * HALF)
    tokens = pretraining.tokens()[:3].long()
    with torch.no_grad():
        ours, theirs = (gpt.loss(tokens, own, own_mask) for gpt in (module["gpt"], read.gpt))
    assert float(theirs) == pytest.approx(float(ours), rel=HALF)
    pictures = pretraining.corpus.pictures(torch.arange(3))
    assert (read.vq.encode(pictures) == tokens).float().mean() > 0.9


def test_the_encoders_see_pictures_as_in_training(cut_off):
    pretraining, models = cut_off
    corpus, numbers = pretraining.corpus, torch.arange(3)
    pictures = [Image.fromarray(corpus.pixels[number]) for number in numbers]
    with torch.no_grad():
        clip = pretraining.trained("clip").get_image_features(seen(corpus, numbers, CLIP_VIEW)).pooler_output
        dino = pretraining.trained("dino")(seen(corpus, numbers, DINO_VIEW)).last_hidden_state[:, 0]
    for encoder, vectors in (
        (ClipEncoder(models / "clip-miniature", CPU), clip),
        (DinoEncoder(models / "dino-miniature", CPU), dino),
    ):
        expected = torch.nn.functional.normalize(vectors, dim=-1).numpy()
        np.testing.assert_allclose(encoder.pictures(pictures), expected, atol=5 * HALF)
    texts = ClipEncoder(models / "clip-miniature", CPU).texts(PROMPTS)
    assert texts.shape == (3, 64)
