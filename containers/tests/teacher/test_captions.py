"""A photo's caption is its prompt: every text encoder reads it, and only this photo is trained on it."""

import functools
import json

import pytest
import torch
import transformers
from jobs import write_photos, write_teach_job
from teaching import CPU, MODELS, PROMPTS, family_of, prepared, teach

from proxytune.contract.errors import ProxytuneError
from proxytune.teacher.config import ClassImages
from proxytune.teacher.photos import PhotoSet

CAPTION = "a ohwx dog on a red carpet"
SQUARES = ((64, 64),) * 3


@pytest.fixture
def read_texts(monkeypatch, request):
    """The token ids that each class of text encoders was given, a list for each prompt."""
    texts = {}
    for name in set(family_of(request.node.callspec.params["model"]).text_encoders):
        encoder = getattr(transformers, name)
        forward = encoder.forward

        @functools.wraps(forward)
        def recorded(self, input_ids, *args, name=name, forward=forward, **kwargs):
            texts.setdefault(name, []).extend(input_ids.tolist())
            return forward(self, input_ids, *args, **kwargs)

        monkeypatch.setattr(encoder, "forward", recorded)
    return texts


@pytest.mark.parametrize("model", MODELS)
def test_every_text_encoder_reads_the_caption(tiny_model, tmp_path, read_texts, model):
    base, job = tiny_model(model), tmp_path / "job"
    write_teach_job(job, base, family=MODELS[model], model=model, steps="1")
    (job / "input" / "data" / "references" / "001.txt").write_text(f"{CAPTION}\n")
    folder = teach(job, model, base)
    classes = family_of(model).text_encoders
    assert read_texts.keys() == set(classes)
    endings = ["", "_2", "_3"][: len(classes)]
    for name, ending in zip(classes, endings, strict=True):
        tokenizer = transformers.AutoTokenizer.from_pretrained(base / f"tokenizer{ending}")
        read = [tokenizer.decode(ids, skip_special_tokens=True) for ids in read_texts[name]]
        for prompt in (CAPTION, *PROMPTS):
            assert sum(text.strip().startswith(prompt) for text in read) >= classes.count(name), (name, read)
    facts = json.loads((folder / "adapter.json").read_text())
    assert [caption is None for caption in facts["captions"]] == [True, False, True]


@pytest.mark.parametrize("model", MODELS)
def test_only_its_own_photo_is_trained_on_it(tiny_model, tmp_path, model):
    def losses(folder, caption):
        write_photos(folder, SQUARES)
        if caption is not None:
            (folder / "001.txt").write_text(caption)
        photos = PhotoSet(folder, 64)
        teacher = prepared(tiny_model(model), photos, batch_size=1)
        with torch.no_grad():
            by_step = [float(teacher.loss(step, torch.Generator().manual_seed(step))) for step in range(6)]
        return teacher, photos, by_step

    _, photos, without = losses(tmp_path / "without", None)
    teacher, _, captioned = losses(tmp_path / "with", CAPTION)
    assert [before != after for before, after in zip(without, captioned, strict=True)] == [
        photos.photo_at(step, 1) == 1 for step in range(6)
    ]
    # What the network reads for this photo is what the encoders make of the caption, and of nothing else.
    family, step = family_of(model), next(step for step in range(6) if photos.photo_at(step, 1) == 1)
    encoders = family.load_text_encoders(tiny_model(model), torch.float32).to(CPU)
    alone = family.encode_prompts(encoders, [CAPTION])
    own = teacher._embeddings.select([teacher._prompt_at(step)])
    assert torch.equal(own.states, alone.states)
    assert torch.equal(own.pooled, alone.pooled)


def test_class_images_keep_their_own_prompt(tiny_model, tmp_path):
    def loss(caption, weight):
        folder = tmp_path / f"{caption} {weight}"
        write_photos(folder / "photos", SQUARES)
        write_photos(folder / "class", ((64, 64),))
        if caption is not None:
            for number in range(3):
                (folder / "photos" / f"{number:03d}.txt").write_text(caption)
        images = ClassImages("a dog", PhotoSet(folder / "class", 64), weight=weight)
        teacher = prepared(
            tiny_model("sdxl-tiny"), PhotoSet(folder / "photos", 64), batch_size=1, class_images=images
        )
        with torch.no_grad():
            return float(teacher.loss(0, torch.Generator().manual_seed(1)))

    assert loss(CAPTION, 0.0) != loss(None, 0.0)
    of_class = [loss(caption, 1.0) - loss(caption, 0.0) for caption in (None, CAPTION)]
    assert of_class[0] == pytest.approx(of_class[1], abs=1e-6)
    assert of_class[0] > 0.1


def test_another_caption_is_another_training(tmp_path):
    def identities(caption):
        folder = tmp_path / str(caption)
        write_photos(folder, SQUARES)
        if caption is not None:
            (folder / "001.txt").write_text(caption)
        photos = PhotoSet(folder, 16)
        assert photos.captions == [None, caption, None]
        return photos.identities, photos.sha256

    plain, sha256 = identities(None)
    # Checkpoints of trainings without captions stay valid.
    assert plain == sha256
    first, second = identities("a ohwx dog")[0], identities(CAPTION)[0]
    assert first[:3] == second[:3] == plain
    assert len({*first[3:], *second[3:]}) == 2


def test_a_caption_that_names_the_subject_too_late_is_refused_with_its_remedy(tiny_model, tmp_path):
    write_photos(tmp_path, SQUARES)
    (tmp_path / "000.txt").write_text(" ".join(["grass"] * 80) + " and a ohwx dog")
    with pytest.raises(ProxytuneError, match="after the 77 tokens") as caught:
        prepared(tiny_model("sdxl-tiny"), PhotoSet(tmp_path, 64))
    assert caught.value.name == "TokenWordUnusable"
    assert "earlier in this prompt or caption" in str(caught.value)
