"""Samples along the way: they leave the training as it was, and the best adapter is handed on."""

import json

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
from proxytune.teacher.checkpoint_selection import Guards, Point, choose, diversity_of
from proxytune.teacher.photos import PhotoSet
from proxytune.teacher.validation import SampleBook, collector, wanted
from proxytune.training.loop import LoopSettings, run
from proxytune.training.states import seed_everything

ASKED = {"subject": "ohwx dog", "pictures": 2, "steps": 2, "guidance": 3.0}
GUARDED = {**ASKED, "keep_prompt": 0.5, "keep_diversity": 0.1}
PROMPTS = ["a {s}", "a {s} on a park bench"]
SAMPLES = {"samples": json.dumps(GUARDED), "sample_prompts": json.dumps(PROMPTS)}


def book(folder, settings="settings"):
    return SampleBook(folder, settings, wanted(hyperparameters.parse({**TEACH, **SAMPLES})))


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files
    }


class Stops(StopRequest):
    """SIGTERM after so many pictures."""

    def __init__(self, folder, pictures):
        self._folder, self._pictures = folder, pictures
        super().__init__()

    @property
    def requested(self):
        return len(list(self._folder.rglob("*.png"))) >= self._pictures

    @requested.setter
    def requested(self, _):
        pass


@pytest.mark.parametrize("model", MODELS)
def test_with_samples_and_an_interruption_the_training_is_bit_for_bit_the_one_without(
    tiny_model, tmp_path, model
):
    settings = LoopSettings(steps=4, checkpoint_every=2, learning_rate=1e-2, seed=3)
    photos = photo_set(tmp_path / "photos")

    def train(folder, stop=None, *, drawing):
        prompts = tuple(prompt.replace("{s}", "ohwx dog") for prompt in PROMPTS) if drawing else ()
        teacher = prepared(tiny_model(model), photos, samples=prompts)
        stop, progress = stop or StopRequest(), ProgressFile(folder, "teach", 4)
        draw = collector(book(folder / "samples"), teacher, ASKED, progress, stop) if drawing else None
        run(teacher, settings, CheckpointStore(folder, "settings"), progress, stop, at_checkpoint=draw)
        return dict(teacher.named_parameters())

    plain = train(tmp_path / "plain", drawing=False)
    kept = tmp_path / "drawing" / "samples"
    # In the middle of the second checkpoint's samples.
    with pytest.raises(SystemExit):
        train(tmp_path / "drawing", Stops(kept, 4), drawing=True)
    before = contents(kept)
    assert len([name for name in before if name.endswith(".png")]) == 4
    seed_everything(999)
    drawn = train(tmp_path / "drawing", drawing=True)
    assert all(torch.equal(plain[name], drawn[name]) for name in plain)
    after = contents(kept)
    assert all(after[name] == before[name] for name in before if name != "settings.txt")
    pictures = [content for name, (content, _) in after.items() if name.endswith(".png")]
    assert len(pictures) == len(set(pictures)) == 9
    assert book(kept).steps() == [0, 2, 4]
    last = book(kept).adapter(4)
    assert all(torch.equal(last[name], drawn[name]) for name in drawn)


def test_what_came_back_in_part_is_drawn_again_and_other_settings_begin_anew(tmp_path):
    kept = book(tmp_path)
    picture = Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8))
    for sample in kept.samples:
        kept.keep(4, sample, picture)
    kept.keep_adapter(4, {"weight": torch.ones(3)})
    assert kept.steps() == [4]
    whole = kept.file(4, kept.samples[1]).read_bytes()
    kept.file(4, kept.samples[1]).write_bytes(whole[: len(whole) // 2])
    assert [sample.number for sample in book(tmp_path).missing(4)] == [1]
    kept.keep(4, kept.samples[1], picture)
    adapter = tmp_path / "step-00000004" / "adapter.safetensors"
    adapter.write_bytes(adapter.read_bytes()[:-4])
    assert book(tmp_path).steps() == []
    assert not adapter.exists()
    assert book(tmp_path, "other settings").missing(4) == kept.samples


def test_seeds_prompts_and_contexts_of_the_samples():
    asked = hyperparameters.parse({**TEACH, **SAMPLES})
    assert [(sample.prompt, sample.in_context) for sample in wanted(asked)] == [
        ("a ohwx dog", False),
        ("a ohwx dog", False),
        ("a ohwx dog on a park bench", True),
    ]
    assert [sample.seed for sample in wanted(asked)] == [2_000_007, 2_000_008, 2_000_009]


def points(*values):
    # Four samples that differ alike at every step: a difference of means is then beyond any doubt.
    spread = (-0.03, -0.01, 0.01, 0.03)
    return [
        Point(100 * number, *each, tuple(each[0] + by for by in spread)) for number, each in enumerate(values)
    ]


UNTUNED = (0.3, 0.30, 0.6)
GUARDS = Guards(prompt=0.27, diversity=0.11)


@pytest.mark.parametrize(
    ("values", "step", "words"),
    [
        # All hold: the most alike, and of equals the later.
        ([(0.6, 0.3, 0.3), (0.7, 0.29, 0.2), (0.7, 0.29, 0.2)], 300, "of all 3 checkpoints"),
        ([(0.6, 0.3, 0.3), (0.7, 0.29, 0.2), (0.65, 0.29, 0.2)], 200, "of all 3 checkpoints"),
        # The last draws one picture only.
        ([(0.6, 0.3, 0.3), (0.7, 0.29, 0.2), (0.9, 0.28, 0.05)], 200, "step 300 is more alike (DINO 0.900)"),
        # The last no longer follows prompts.
        ([(0.6, 0.3, 0.3), (0.7, 0.26, 0.2), (0.65, 0.28, 0.2)], 300, "of the 2 of 3 checkpoints"),
        # None holds both: the one that comes nearest, not the most alike.
        ([(0.8, 0.2, 0.1), (0.6, 0.26, 0.1), (0.9, 0.26, 0.01)], 200, "no checkpoint both follows"),
        # Nothing to demand: one photo, and no context.
        ([(0.6, None, None), (0.5, None, None)], 100, "nothing to demand"),
    ],
)
def test_the_most_alike_checkpoint_that_holds_the_guards_is_chosen(values, step, words):
    guards = Guards(None, None) if values[0][1] is None else GUARDS
    best, reason = choose(points(UNTUNED, *values), guards)
    assert best.step == step
    assert words in reason


def test_an_earlier_checkpoint_is_chosen_only_where_the_samples_leave_no_doubt():
    # Samples that scatter as those of the miniature world do.
    at_80 = (0.69, 0.67, 0.42, 0.69)

    def choice(at_120):
        pair = [
            Point(step, sum(each) / 4, 0.3, 0.3, each)
            for step, each in zip((80, 120), (at_80, at_120), strict=True)
        ]
        return choose(pair, GUARDS)

    best, reason = choice((0.55, 0.70, 0.50, 0.60))
    assert best.step == 120
    assert "as far as 4 samples tell it is as much like the photos" in reason
    assert choice((0.59, 0.60, 0.30, 0.60))[0].step == 80


def test_the_untuned_model_is_never_chosen():
    best, _ = choose(points((0.9, 0.3, 0.5), (0.5, 0.1, 0.01)), GUARDS)
    assert best.step == 100


def test_diversity_is_none_of_one_picture_and_nought_of_equals():
    assert diversity_of(np.array([[1.0, 0.0]])) is None
    assert diversity_of(np.array([[1.0, 0.0], [1.0, 0.0]])) == 0
    assert diversity_of(np.array([[1.0, 0.0], [0.0, 1.0]])) == 1


def teach_job(tiny_model, base, **changes):
    write_teach_job(base, tiny_model("sdxl-tiny"), checkpoint_every="2", **SAMPLES, **changes)
    for name in ("clip", "dino"):
        (base / "input" / "data" / name).symlink_to(tiny_model(f"{name}-tiny"))
    return Folders(base)


def test_the_adapter_of_the_chosen_checkpoint_is_handed_on(tiny_model, tmp_path, capsys):
    folders = teach_job(tiny_model, tmp_path / "job")
    given = hyperparameters.read(folders)
    trainer.train(folders, given, StopRequest())
    kept = folders.checkpoints / "samples"
    record = json.loads((kept / "choice.json").read_text())
    assert schema.check("choice", record) is None
    assert [point["step"] for point in record["points"]] == [0, 2, 4, 6]
    assert record["reason"] in capsys.readouterr().out
    for point in record["points"]:
        assert all((kept / sample["file"]).is_file() for sample in point["pictures"])
    # Only the chosen adapter is left, and it is what the job made.
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
    # An attempt that was cut off while it uploaded finds everything, draws and chooses nothing.
    before = contents(kept)
    trainer.train(folders, given, StopRequest())
    after = contents(kept)
    assert {name: after[name] for name in after if name != "settings.txt"} == {
        name: before[name] for name in before if name != "settings.txt"
    }


def test_what_an_attempt_chose_before_it_was_cut_off_stays_chosen(tiny_model, tmp_path):
    folders = teach_job(tiny_model, tmp_path / "job", steps="4")
    given, kept = hyperparameters.read(folders), folders.checkpoints / "samples"
    settings = hyperparameters.settings_hash(given, PhotoSet(folders.channel("references"), 64).sha256)
    book(kept, settings)
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


def test_without_samples_the_last_is_handed_on_and_the_log_says_so(tiny_model, tmp_path, capsys):
    folders = Folders(write_teach_job(tmp_path / "job", tiny_model("sdxl-tiny"), steps="2"))
    trainer.train(folders, hyperparameters.read(folders), StopRequest())
    assert "no samples were asked for: the adapter of the last step is handed on" in capsys.readouterr().out
    assert not (folders.checkpoints / "samples").exists()
    assert json.loads((folders.model / "adapter.json").read_text())["chosen_step"] == 2


def test_what_came_back_spoilt_is_drawn_again(tmp_path):
    samples = book(tmp_path / "samples")
    for sample in samples.samples:
        samples.keep(0, sample, Image.new("RGB", (16, 16), (sample.number, 2, 3)))
    first, second, *_ = samples.samples
    whole = samples.file(0, first).read_bytes()
    # One bit of the first chunk's length: the decoder's error is a ValueError, and none of the system.
    samples.file(0, first).write_bytes(whole.replace(b"\x0dIHDR", b"\x0cIHDR"))
    samples.file(0, second).write_bytes(whole[: len(whole) // 2])
    assert book(tmp_path / "samples").missing(0) == [first, second]
