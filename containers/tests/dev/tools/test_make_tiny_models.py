import hashlib
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[3] / "dev" / "tools" / "make_tiny_models.py"


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def make(out: Path, hash_seed: str, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, str(TOOL), "--out", str(out), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_every_call_writes_the_same_bytes_for_all_models(tmp_path):
    first = make(tmp_path / "1", "1")
    assert first.returncode == 0, first.stderr
    # Here with another hash seed, and with as many threads as torch likes.
    assert runpy.run_path(str(TOOL))["main"](["--out", str(tmp_path / "2")]) == 0
    assert digests(tmp_path / "1") == digests(tmp_path / "2")
    assert {path.name for path in (tmp_path / "1").iterdir()} == {
        "sdxl-tiny",
        "sd3-medium-tiny",
        "sd3.5-large-tiny",
        "flux-dev-tiny",
        "llamagen-tiny",
        "lumina-tiny",
        "janus-pro-1b-tiny",
        "clip-tiny",
        "dino-tiny",
        "clipseg-tiny",
        "siglip2-tiny",
        "dreamsim-tiny",
    }


def test_only_requested_models_are_made(tmp_path):
    tool = runpy.run_path(str(TOOL))
    assert tool["main"](["--out", str(tmp_path), "--only", "dino-tiny"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["dino-tiny"]


def test_an_unknown_id_is_a_usage_error(tmp_path):
    made = make(tmp_path, "1", "--only", "sdxl-huge")
    assert made.returncode == 2
    assert "sdxl-tiny" in made.stderr


def test_every_picture_of_the_tiny_models_differs_by_its_prompt(tiny_model):
    # A text encoder that finds no end token gives every prompt the same pooled vector.
    import torch

    from proxytune.teacher.families.sdxl import SDXL

    encoders = SDXL().load_text_encoders(tiny_model("sdxl-tiny"), torch.float32)
    embeddings = SDXL().encode_prompts(encoders, ["a ohwx dog", "a ohwx cat"])
    states, pooled = embeddings.states, embeddings.pooled
    assert states.shape == (2, 77, 64)
    assert float((states[0] - states[1]).abs().max()) > 1e-3
    assert float((pooled[0] - pooled[1]).abs().max()) > 1e-3


@pytest.mark.parametrize("text", ["a ohwx dog", "Ünïcode, 12!"])
def test_the_character_tokenizer_knows_every_printable_letter(text):
    from dev.tiny_models.tokenizers import t5_tokenizer

    tokenizer = t5_tokenizer(120)
    ids = tokenizer(text).input_ids
    assert ids[-1] == tokenizer.eos_token_id
    assert (tokenizer.unk_token_id in ids) == (not text.isascii())
    if text.isascii():
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
