"""Validation images leave the training as it was, and the best checkpoint is selected."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from jobs import TEACH, write_teach_job
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from teaching import MODELS, photo_set, prepared

from proxytune.contract import hyperparameters, schema
from proxytune.contract.checkpoints import CheckpointStore
from proxytune.contract.folders import Folders
from proxytune.contract.progress import ProgressFile
from proxytune.contract.signals import StopRequest
from proxytune.teacher import trainer
from proxytune.teacher.checkpoint_selection import diversity_of
from proxytune.teacher.config import ValidationImage, validation_images
from proxytune.teacher.merging import merged_on_cpu
from proxytune.teacher.photos import PhotoSet
from proxytune.teacher.selection_rule import CheckpointScores, Guards, select
from proxytune.teacher.validation import ValidationImages, images_at_once
from proxytune.training.loop import LoopSettings, run
from proxytune.training.states import seed_everything

SETTINGS = {"subject": "ohwx dog", "pictures": 2, "steps": 2, "guidance": 3.0}
GUARDED = {**SETTINGS, "keep_prompt": 0.5, "keep_diversity": 0.1}
PROMPTS = ["a {s}", "a {s} on a park bench"]
SAMPLES = {"validation_images": json.dumps(GUARDED), "validation_prompts": json.dumps(PROMPTS)}


def store(folder, settings="settings"):
    images = validation_images(hyperparameters.parse({**TEACH, **SAMPLES}))
    return ValidationImages(folder, settings, images)


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files
    }


class Stops(StopRequest):
    """SIGTERM after a number of images."""

    def __init__(self, folder, images):
        self._folder, self._images = folder, images
        super().__init__()

    @property
    def requested(self):
        return len(list(self._folder.rglob("*.png"))) >= self._images

    @requested.setter
    def requested(self, _):
        pass


@pytest.mark.parametrize("model", MODELS)
def test_validation_images_and_an_interruption_do_not_change_the_training(tiny_model, tmp_path, model):
    settings = LoopSettings(steps=4, checkpoint_every=2, learning_rate=1e-2, seed=3)
    photos = photo_set(tmp_path / "photos")

    def train(folder, stop=None, *, validated):
        prompts = tuple(prompt.replace("{s}", "ohwx dog") for prompt in PROMPTS) if validated else ()
        teacher = prepared(tiny_model(model), photos, validation_prompts=prompts)
        stop, progress = stop or StopRequest(), ProgressFile(folder, "teach", 4)
        validation = store(folder / "samples") if validated else None
        callback = validation and validation.callback(teacher, SETTINGS, progress, stop)
        run(teacher, settings, CheckpointStore(folder, "settings"), progress, stop, at_checkpoint=callback)
        return dict(teacher.named_parameters())

    plain = train(tmp_path / "plain", validated=False)
    kept = tmp_path / "validated" / "samples"
    # In the middle of the second checkpoint's images.
    with pytest.raises(SystemExit):
        train(tmp_path / "validated", Stops(kept, 4), validated=True)
    before = contents(kept)
    assert len([name for name in before if name.endswith(".png")]) == 4
    seed_everything(999)
    resumed = train(tmp_path / "validated", validated=True)
    assert all(torch.equal(plain[name], resumed[name]) for name in plain)
    after = contents(kept)
    assert all(after[name] == before[name] for name in before if name != "settings.txt")
    pictures = [content for name, (content, _) in after.items() if name.endswith(".png")]
    assert len(pictures) == len(set(pictures)) == 9
    assert store(kept).steps() == [0, 2, 4]
    last = store(kept).adapter(4)
    assert all(torch.equal(last[name], resumed[name]) for name in resumed)


def strong(base, folder):
    """A teacher with an adapter that is strong enough to change every image."""
    teacher = prepared(base, photo_set(folder / "photos"), validation_prompts=("a ohwx dog",))
    with torch.no_grad():
        for _, value in teacher.named_parameters():
            value.normal_(std=0.2)
    return teacher


@pytest.mark.parametrize("model", MODELS)
def test_an_adapter_is_in_the_weights_on_the_cpu_and_out_of_them_again(tiny_model, tmp_path, model):
    teacher, used = strong(tiny_model(model), tmp_path), Counter()
    for module in teacher.network.modules():
        for part in getattr(module, "lora_A", {}).values():
            part.register_forward_hook(lambda *_: used.update(adapter=1))
    before = {name: value.clone() for name, value in teacher.network.state_dict().items()}
    unmerged = teacher._predict_fixed()
    calls = used["adapter"]
    with merged_on_cpu(teacher.network):
        inside = teacher._predict_fixed()
    assert used["adapter"] == calls > 0
    assert torch.equal(teacher._predict_fixed(), unmerged)
    assert used["adapter"] == 2 * calls
    assert torch.allclose(inside, unmerged, atol=1e-5 * float(unmerged.abs().max()))
    after = teacher.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize("model", MODELS)
def test_images_that_are_generated_together_are_those_generated_alone(tiny_model, tmp_path, model):
    teacher = strong(tiny_model(model), tmp_path)
    images = [ValidationImage(number, "a ohwx dog", in_context=False, seed=number) for number in range(3)]
    together = teacher.generate_images(images, SETTINGS)
    alone = [teacher.generate_images([image], SETTINGS)[0] for image in images]
    pixels = [[np.asarray(image, dtype=int) for image in each] for each in (together, alone)]
    assert all(np.abs(first - second).max() <= 1 for first, second in zip(*pixels, strict=True))
    assert np.abs(pixels[0][0] - pixels[0][1]).max() > 1


def test_only_small_images_are_generated_together():
    assert [images_at_once(size) for size in (32, 64, 128, 256, 512, 1024)] == [64, 16, 4, 1, 1, 1]


def test_incomplete_files_are_removed_and_with_other_settings_all_files(tmp_path):
    kept = store(tmp_path)
    picture = Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8))
    for image in kept.images:
        kept.store(4, image, picture)
    kept.store_adapter(4, {"weight": torch.ones(3)})
    assert kept.steps() == [4]
    content = kept.file(4, kept.images[1]).read_bytes()
    kept.file(4, kept.images[1]).write_bytes(content[: len(content) // 2])
    assert [image.number for image in store(tmp_path).missing(4)] == [1]
    kept.store(4, kept.images[1], picture)
    adapter = tmp_path / "step-00000004" / "adapter.safetensors"
    adapter.write_bytes(adapter.read_bytes()[:-4])
    assert store(tmp_path).steps() == []
    assert not adapter.exists()
    assert store(tmp_path, "other settings").missing(4) == kept.images


def test_seeds_prompts_and_contexts_of_the_validation_images():
    images = validation_images(hyperparameters.parse({**TEACH, **SAMPLES}))
    assert [(image.prompt, image.in_context) for image in images] == [
        ("a ohwx dog", False),
        ("a ohwx dog", False),
        ("a ohwx dog on a park bench", True),
    ]
    assert [image.seed for image in images] == [2_000_007, 2_000_008, 2_000_009]


def scores(*values):
    # Four images that differ equally at every step: every difference of means is then significant.
    spread = (-0.03, -0.01, 0.01, 0.03)
    return [
        CheckpointScores(100 * number, *each, tuple(each[0] + by for by in spread))
        for number, each in enumerate(values)
    ]


UNTUNED = (0.3, 0.30, 0.6)
GUARDS = Guards(prompt=0.27, diversity=0.11)


@pytest.mark.parametrize(
    ("values", "step", "words"),
    [
        # All pass: the most similar, and of equals the later.
        ([(0.6, 0.3, 0.3), (0.7, 0.29, 0.2), (0.7, 0.29, 0.2)], 300, "of all 3 checkpoints"),
        ([(0.6, 0.3, 0.3), (0.7, 0.29, 0.2), (0.65, 0.29, 0.2)], 200, "of all 3 checkpoints"),
        # The last generates one image only.
        (
            [(0.6, 0.3, 0.3), (0.7, 0.29, 0.2), (0.9, 0.28, 0.05)],
            200,
            "step 300 is more similar (DINO 0.900)",
        ),
        # The last no longer follows prompts.
        ([(0.6, 0.3, 0.3), (0.7, 0.26, 0.2), (0.65, 0.28, 0.2)], 300, "of the 2 of 3 checkpoints"),
        # None passes both: the one that comes nearest, not the most similar.
        ([(0.8, 0.2, 0.1), (0.6, 0.26, 0.1), (0.9, 0.26, 0.01)], 200, "no checkpoint both follows"),
        # No guards: one photo, and no context.
        ([(0.6, None, None), (0.5, None, None)], 100, "no guards"),
    ],
)
def test_the_most_similar_checkpoint_that_passes_the_guards_is_selected(values, step, words):
    guards = Guards(None, None) if values[0][1] is None else GUARDS
    best, reason = select(scores(UNTUNED, *values), guards)
    assert best.step == step
    assert words in reason


def test_an_earlier_checkpoint_is_selected_only_where_the_difference_is_significant():
    # Images that scatter as those of the miniature models do.
    at_80 = (0.69, 0.67, 0.42, 0.69)

    def selected(at_120):
        pair = [
            CheckpointScores(step, sum(each) / 4, 0.3, 0.3, each)
            for step, each in zip((80, 120), (at_80, at_120), strict=True)
        ]
        return select(pair, GUARDS)

    best, reason = selected((0.55, 0.70, 0.50, 0.60))
    assert best.step == 120
    assert "within the error of 4 images as similar to the photos" in reason
    assert selected((0.59, 0.60, 0.30, 0.60))[0].step == 80


def test_the_untuned_model_is_never_selected():
    best, _ = select(scores((0.9, 0.3, 0.5), (0.5, 0.1, 0.01)), GUARDS)
    assert best.step == 100


def test_diversity_is_none_for_one_image_and_zero_for_equal_ones():
    assert diversity_of(np.array([[1.0, 0.0]])) is None
    assert diversity_of(np.array([[1.0, 0.0], [1.0, 0.0]])) == 0
    assert diversity_of(np.array([[1.0, 0.0], [0.0, 1.0]])) == 1


def teach_job(tiny_model, base, **changes):
    write_teach_job(base, tiny_model("sdxl-tiny"), checkpoint_every="2", **SAMPLES, **changes)
    for name in ("clip", "dino"):
        (base / "input" / "data" / name).symlink_to(tiny_model(f"{name}-tiny"))
    return Folders(base)


def test_the_adapter_of_the_selected_checkpoint_is_saved(tiny_model, tmp_path, capsys):
    folders = teach_job(tiny_model, tmp_path / "job")
    given = hyperparameters.read(folders)
    trainer.train(folders, given, StopRequest())
    kept = folders.checkpoints / "validation"
    record = json.loads((kept / "choice.json").read_text())
    assert schema.check("choice", record) is None
    assert [point["step"] for point in record["points"]] == [0, 2, 4, 6]
    assert record["reason"] in capsys.readouterr().out
    for point in record["points"]:
        assert all((kept / image["file"]).is_file() for image in point["pictures"])
    # Only the selected adapter is left, and the job saved it.
    (adapter,) = kept.glob("step-*/adapter.safetensors")
    assert adapter.parent.name == f"step-{record['chosen']:08d}"
    trained = load_file(adapter)
    made = load_file(folders.model / "pytorch_lora_weights.safetensors")
    assert len(made) == len(trained)
    for name, value in trained.items():
        assert torch.equal(made["unet." + name.replace(".default.", ".")], value)
    assert json.loads((folders.model / "adapter.json").read_text())["chosen_step"] == record["chosen"]
    with safe_open(folders.model / "pytorch_lora_weights.safetensors", "pt") as opened:
        assert opened.metadata()["proxytune.step"] == str(record["chosen"])
    # An attempt that was interrupted during the upload finds everything, and generates and selects nothing.
    before = contents(kept)
    trainer.train(folders, given, StopRequest())
    after = contents(kept)
    assert {name: after[name] for name in after if name != "settings.txt"} == {
        name: before[name] for name in before if name != "settings.txt"
    }


def test_the_selection_of_an_interrupted_attempt_stands(tiny_model, tmp_path):
    folders = teach_job(tiny_model, tmp_path / "job", steps="4")
    given, kept = hyperparameters.read(folders), folders.checkpoints / "validation"
    settings = hyperparameters.settings_hash(given, PhotoSet(folders.channel("references"), 64).sha256)
    store(kept, settings)
    point = {"fidelity": 0.5, "prompt": None, "diversity": None, "guarded": True}
    record = {
        "version": 1,
        "chosen": 2,
        "reason": "a reason",
        "guards": {"prompt": None, "diversity": None},
        "points": [
            {"step": 2, **point, "pictures": [{"prompt": "a", "seed": 0, "fidelity": 0.5, "file": "b"}]}
        ],
    }
    (kept / "choice.json").write_text(json.dumps(record))
    trainer.train(folders, given, StopRequest())
    made = load_file(folders.model / "pytorch_lora_weights.safetensors")
    chosen = load_file(kept / "step-00000002" / "adapter.safetensors")
    assert all(torch.equal(made["unet." + name.replace(".default.", ".")], chosen[name]) for name in chosen)


def test_without_validation_images_the_last_is_selected_and_logged(tiny_model, tmp_path, capsys):
    folders = Folders(write_teach_job(tmp_path / "job", tiny_model("sdxl-tiny"), steps="2"))
    trainer.train(folders, hyperparameters.read(folders), StopRequest())
    assert "no validation images: the adapter of the last step is selected" in capsys.readouterr().out
    assert not (folders.checkpoints / "validation").exists()
    assert json.loads((folders.model / "adapter.json").read_text())["chosen_step"] == 2


def test_corrupt_images_are_generated_again(tmp_path):
    kept = store(tmp_path / "samples")
    for image in kept.images:
        kept.store(0, image, Image.new("RGB", (16, 16), (image.number, 2, 3)))
    first, second, *_ = kept.images
    content = kept.file(0, first).read_bytes()
    # One bit of the first chunk's length: the decoder raises a ValueError, not an OSError.
    kept.file(0, first).write_bytes(content.replace(b"\x0dIHDR", b"\x0cIHDR"))
    kept.file(0, second).write_bytes(content[: len(content) // 2])
    assert store(tmp_path / "samples").missing(0) == [first, second]
