"""Official checkpoints become a model folder: strictly, with their size, and none of their code is run."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dev.conversion.llamagen import convert, read
from proxytune.contract.errors import ProxytuneError
from proxytune.student.families.llamagen import load_student

TOOL = Path(__file__).resolve().parents[4] / "dev" / "tools" / "convert_llamagen.py"


@pytest.fixture(scope="session")
def text(captions, tmp_path_factory):
    """A T5 folder as it is published: encoder and tokenizer side by side."""
    folder = tmp_path_factory.mktemp("t5")
    captions.text_encoder.save_pretrained(folder)
    captions.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def files(gpt, vq, text, tmp_path):
    """Official-looking files of the tiny models, and how to convert them."""

    def make(gpt_file, image_size=16, name="gpt.pt", **changes):
        torch.save({"model": vq.state_dict()}, tmp_path / "vq.pt")
        weights = gpt.state_dict()
        # The official buffer wraps a parameter.
        weights["cls_embedding.uncond_embedding"] = torch.nn.Parameter(gpt.cls_embedding.uncond_embedding)
        torch.save(gpt_file(weights), tmp_path / name, **changes)
        out = tmp_path / "model"
        convert(
            out,
            gpt=tmp_path / name,
            vq=tmp_path / "vq.pt",
            text=text,
            image_size=image_size,
            config=gpt.config,
            vq_config=vq.config,
        )
        return out

    return make


def command_line(size):
    return argparse.Namespace(image_size=size, lr=1e-4, data_path="/data", mixed_precision="bf16")


@pytest.mark.parametrize(
    "content",
    [
        lambda weights: {"model": weights, "optimizer": {}, "steps": 5, "args": command_line(16)},
        lambda weights: {"module": weights},
        lambda weights: {"state_dict": weights},
        lambda weights: weights,
        lambda weights: {"model": {**weights, "freqs_cis": torch.zeros(20 + 16, 6, 2)}},
    ],
    ids=["DDP with its command line", "DeepSpeed", "state_dict", "bare", "with the rotary table"],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "the format before torch 1.6"])
def test_the_student_is_the_official_model(files, gpt, vq, padded, tokens, content, zipped):
    folder = files(content, _use_new_zipfile_serialization=zipped)
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= {
        ".json",
        ".safetensors",
        ".model",
    }
    student = load_student(folder, image_size=16)
    assert torch.equal(student.gpt(tokens[:, :-1], *padded), gpt(tokens[:, :-1], *padded))
    assert torch.equal(student.vq.decode(tokens), vq.decode(tokens))
    assert student.captions.encode(["a red dog"])[0].shape == (1, 20, 24)


def refused(files, *words, **given):
    with pytest.raises(ProxytuneError) as error:
        files(**given)
    assert error.value.name == "ModelMismatch"
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("content", "source"),
    [
        (lambda weights: {"model": weights, "args": command_line(32)}, "command line"),
        (lambda weights: {"model": {**weights, "freqs_cis": torch.zeros(20 + 64, 6, 2)}}, "rotary table"),
    ],
)
def test_weights_of_another_stage_are_refused(files, content, source):
    refused(files, source, "image size 16", "32", gpt_file=content)


@pytest.mark.parametrize(
    ("name", "size", "other"),
    [
        ("t2i_XL_stage1_256.pt", "256", 512),
        ("t2i_XL_stage2_512.pt", "512", 256),
        ("stage1.pt", "256", 512),
        ("mine-512.pt", "512", 256),
    ],
)
def test_the_published_names_of_plain_weights_tell_their_stage(files, name, size, other):
    refused(files, "in its name", f"image size {other}", size, gpt_file=dict, name=name, image_size=other)
    assert files(dict, name=name, image_size=int(size)).is_dir()


def test_the_content_of_a_file_counts_more_than_its_name(files):
    files(lambda weights: {"model": weights, "args": command_line(16)}, name="t2i_XL_stage1_256.pt")


@pytest.mark.parametrize("name", ["gpt.pt", "t2i_XL.pt", "backstage1.pt", "step5120.pt", "run_2560.pt"])
def test_other_names_tell_nothing(gpt, tmp_path, name):
    torch.save(gpt.state_dict(), tmp_path / name)
    assert read(tmp_path / name).sizes == {}


def test_a_size_that_the_model_cannot_generate_is_refused(files):
    refused(files, "17", gpt_file=lambda weights: {"model": weights}, image_size=17)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda weights: weights.pop("norm.weight"), "norm.weight is missing"),
        (lambda weights: weights.update(extra=torch.ones(1)), "extra is unknown"),
        (
            lambda weights: weights.update({"norm.weight": torch.ones(5)}),
            "norm.weight is (5,) instead of (48,)",
        ),
    ],
)
def test_every_key_and_shape_must_fit(files, change, words):
    def content(weights):
        change(weights)
        return {"model": weights}

    refused(files, words, gpt_file=content)


class Payload:
    """The action of a hostile checkpoint when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (os.mkdir, (str(self.mark),))


def test_code_in_a_checkpoint_is_refused_and_not_executed(files, tmp_path):
    mark = tmp_path / "executed"
    refused(
        files,
        "was not executed",
        "mkdir",
        gpt_file=lambda weights: {"model": weights, "args": Payload(mark)},
    )
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"steps": 3, "optimizer": {}}, "no weights under a known key"),
        ([1, 2], "no dictionary"),
    ],
)
def test_files_without_weights_are_distinguished(tmp_path, content, words):
    torch.save(content, tmp_path / "some.pt")
    with pytest.raises(ProxytuneError, match=words):
        read(tmp_path / "some.pt")


def test_truncated_files_are_refused(tmp_path):
    torch.save({"model": {"a": torch.ones(1000)}}, tmp_path / "whole.pt")
    for length in (0, 1000):
        (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:length])
        with pytest.raises(ProxytuneError, match="cut.pt cannot be used"):
            read(tmp_path / "cut.pt")
    with pytest.raises(ProxytuneError, match=r"absent.pt cannot be used"):
        read(tmp_path / "absent.pt")


def test_the_tool_reports_what_does_not_fit(files, tmp_path, text):
    files(lambda weights: {"model": weights, "args": command_line(16)})
    arguments = ["--gpt", "gpt.pt", "--vq", "vq.pt", "--text", text, "--out", "out", "--image-size"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for size, words in (("512", "trained for pictures of another size"), ("16", "is missing")):
        done = subprocess.run(
            [sys.executable, TOOL, *arguments, size],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        # The second time the size fits, but tiny files are not GPT-XL's.
        assert done.returncode == 1, done.stderr
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out").exists()
