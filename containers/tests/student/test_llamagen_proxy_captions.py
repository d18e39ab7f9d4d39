"""Proxies with prompts of their own: every image is learned under its own caption, in mixed batches too."""

import json
import shutil

import pytest
import torch
from jobs import StopBefore
from learn_job import CAPTION, HYPERPARAMETERS, make_job, write_shard

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.signals import StopRequest
from proxytune.images.dataset import read_proxies
from proxytune.student.config import TrainConfig
from proxytune.student.families.llamagen import LlamaGen, load_student, trim_caption
from proxytune.student.families.llamagen.proxy_captions import ProxyCaptions
from proxytune.student.families.registry import student_family
from proxytune.student.lora_trainer import StudentTrainer
from proxytune.student.modules import bare
from proxytune.student.proxy_set import ProxySet
from proxytune.student.trainer import train

PROMPTS = [CAPTION, "ohwx dog in the snow with a red car", CAPTION, "a photo of ohwx cat", "ohwx dog asleep"]


def write_prompts(channel, prompts) -> list:
    """One proxy a prompt, in place of the files there."""
    shutil.rmtree(channel, ignore_errors=True)
    for index, prompt in enumerate(prompts):
        write_shard(channel / f"{index}.json.out", [index], prompt=prompt)
    return read_proxies(channel, len(prompts))


def job_of(base, student, prompts, **changes):
    given = {**HYPERPARAMETERS, "proxies": len(prompts), **changes}
    folders = make_job(base, student, given)
    write_prompts(folders.base / "input" / "data" / "proxies", prompts)
    return folders, given


@pytest.fixture(scope="module")
def undropped(tmp_path_factory, tiny_student):
    """The tiny student without dropout, so that neither a batch nor its images alone are random."""
    folder = tmp_path_factory.mktemp("undropped") / "student"
    shutil.copytree(tiny_student, folder)
    config = json.loads((folder / "config.json").read_text())
    config["gpt"] |= {f"{part}_dropout_p": 0.0 for part in ("token", "resid", "ffn")}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def trainer_of(folder, channel, prompts, **changes) -> StudentTrainer:
    given = {
        **{
            name: HYPERPARAMETERS[name]
            for name in TrainConfig.__dataclass_fields__
            if name in HYPERPARAMETERS
        },
        **changes,
    }
    proxies = ProxySet(write_prompts(channel, prompts), 64)
    torch.manual_seed(0)
    trainer = StudentTrainer(student_family("llamagen"), TrainConfig(**given))
    trainer.prepare(folder, proxies, torch.device("cpu"))
    with torch.no_grad():
        for _, value in trainer.named_parameters():
            value.normal_(std=0.05)  # a new adapter's B is zero, and would hide half of the gradients
    return trainer


def gradients(trainer, loss) -> list[torch.Tensor]:
    for _, value in trainer.named_parameters():
        value.grad = None
    loss.backward()
    return [value.grad.clone() for _, value in trainer.named_parameters()]


def test_a_mixed_batch_equals_its_images_one_by_one(undropped, tmp_path):
    trainer = trainer_of(undropped, tmp_path / "mixed", PROMPTS, batch_size=5, caption_dropout=0.5)
    together = trainer.loss(0, torch.Generator().manual_seed(4))
    dropped = torch.rand(5, generator=torch.Generator().manual_seed(4)) < 0.5
    assert dropped.any()
    assert not dropped.all()
    student = load_student(undropped)
    pixels = ProxySet(read_proxies(tmp_path / "mixed", 5), 64).pixels(range(5))
    order = [trainer._proxies.index_at(position, HYPERPARAMETERS["seed"]) for position in range(5)]
    assert sorted(order) == [0, 1, 2, 3, 4]
    alone = []
    for number, without in zip(order, dropped, strict=True):
        features, mask = trim_caption(*student.captions.encode([PROMPTS[number]]))
        assert mask is None
        tokens = student.vq.encode(pixels[number : number + 1])
        alone.append(bare(trainer._model, LlamaGen).loss(tokens, features, drop_caption=without[None]))
    assert torch.stack(alone).std() > 1e-3
    apart = torch.stack(alone).mean()
    assert together.item() == pytest.approx(apart.item(), abs=1e-6)
    theirs = gradients(trainer, apart)
    for ours, other in zip(gradients(trainer, together), theirs, strict=True):
        assert ours.abs().max() > 0
        assert (ours - other).abs().max() < 1e-5 * max(1.0, other.abs().max().item())


def test_captions_are_encoded_once_each_and_padded_only_where_needed(tiny_student):
    captions = load_student(tiny_student).captions
    calls = []
    captions.text_encoder.register_forward_hook(lambda *_: calls.append(1))
    known = ProxyCaptions.encode(PROMPTS, captions)
    assert len(calls) == len(set(PROMPTS)) == 4
    alone = [trim_caption(*captions.encode([prompt]))[0][0] for prompt in PROMPTS]
    assert known.longest == max(map(len, alone))
    features, mask = known.batch(torch.tensor([0, 1, 4]))
    for row, number in enumerate((0, 1, 4)):
        assert torch.equal(features[row][mask[row].bool()], alone[number])
        assert not features[row][~mask[row].bool()].any()
        assert mask[row].sum() == len(alone[number])
        assert mask[row, -1] == 1
    same, none = known.batch(torch.tensor([2, 0]))
    assert none is None
    assert torch.equal(same, alone[0].expand(2, -1, -1))


def test_each_caption_counts(undropped, tmp_path):
    plain = trainer_of(undropped, tmp_path / "plain", [CAPTION] * 5, batch_size=5, caption_dropout=0.0)
    named = trainer_of(undropped, tmp_path / "named", PROMPTS, batch_size=5, caption_dropout=0.0)
    draws = torch.Generator()
    assert abs(plain.loss(0, draws).item() - named.loss(0, draws).item()) > 1e-4


def test_mixed_captions_resume_bit_for_bit(tmp_path, tiny_student):
    undisturbed, given = job_of(tmp_path / "one", tiny_student, PROMPTS)
    train(undisturbed, given, StopRequest())
    folders, given = job_of(tmp_path / "two", tiny_student, PROMPTS)
    with pytest.raises(SystemExit):
        train(folders, given, StopBefore(5))
    train(folders, given, StopRequest())
    one, other = ((f.model / "adapter_model.safetensors").read_bytes() for f in (undisturbed, folders))
    assert one == other


def test_other_prompts_do_not_resume_a_training(tmp_path, tiny_student):
    folders, given = job_of(tmp_path / "ml", tiny_student, PROMPTS)
    with pytest.raises(SystemExit):
        train(folders, given, StopBefore(2))
    write_prompts(folders.channel("proxies"), [CAPTION] * 5)
    with pytest.raises(ProxytuneError) as refused:
        train(folders, given, StopRequest())
    assert refused.value.name == "CheckpointUnusable"


def test_the_word_must_reach_the_student_in_every_prompt(tmp_path, tiny_student):
    folders, given = job_of(tmp_path / "ml", tiny_student, [CAPTION, "a photo of a dog"])
    with pytest.raises(ProxytuneError, match="'ohwx' in 'a photo of a dog'") as refused:
        train(folders, given, StopRequest())
    assert refused.value.name == "TokenWordUnusable"
