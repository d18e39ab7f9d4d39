"""The stage learn and drawing with what it leaves, for the Lumina family."""

import json

import numpy as np
import pytest
import torch
from learn_job import CAPTION, HYPERPARAMETERS, StopBefore, make_job, write_shard
from peft import PeftModel
from safetensors.torch import load_file

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.signals import StopRequest
from proxytune.proxies import chunk as chunks
from proxytune.proxies.collection import read_proxies
from proxytune.student import families
from proxytune.student.adapters import load_adapter
from proxytune.student.learning import tokenise
from proxytune.student.lumina import memory
from proxytune.student.lumina.checkpoint import load_student
from proxytune.student.lumina.learner import LuminaLearner, training_batch
from proxytune.student.lumina.maker import LuminaMaker
from proxytune.student.lumina.sampling import sample_codes
from proxytune.student.lumina.transformer import Lumina, chameleon_config
from proxytune.student.proxy_set import ProxySet
from proxytune.student.trainer import train

GIVEN = {**HYPERPARAMETERS, "family": "lumina", "model": "lumina-tiny", "steps": 6, "checkpoint_every": 3}
WEIGHTS = "adapter_model.safetensors"
SAMPLER = {"kind": "autoregressive", "guidance": 2.0, "temperature": 1.0, "top_k": 100, "top_p": 1.0}


@pytest.fixture(scope="module")
def base(tiny_model):
    return tiny_model("lumina-tiny")


@pytest.fixture(scope="module")
def learnt(tmp_path_factory, base):
    """A job on 64 proxies, trained in one go."""
    folders = make_job(tmp_path_factory.mktemp("lumina") / "ml", base, GIVEN)
    train(folders, GIVEN, StopRequest())
    return folders


def test_a_job_leaves_an_adapter_on_the_attention(learnt):
    weights = load_file(learnt.model / WEIGHTS)
    assert set(weights) == {
        f"base_model.model.model.layers.{layer}.self_attn.{name}.lora_{side}.weight"
        for layer in range(2)
        for name in ("q_proj", "k_proj", "v_proj", "o_proj")
        for side in "AB"
    }
    assert all(value.dtype == torch.float32 and value.any() for value in weights.values())
    facts = json.loads((learnt.model / "adapter.json").read_text())
    assert (facts["family"], facts["rank"], len(facts["proxies_sha256"])) == ("lumina", 4, 64)


@pytest.mark.parametrize("step", [3, 4])
def test_resuming_gives_the_same_bits(learnt, base, tmp_path, step):
    folders = make_job(tmp_path / "ml", base, GIVEN)
    with pytest.raises(SystemExit) as stopped:
        train(folders, GIVEN, StopBefore(step))
    assert stopped.value.code == 143
    assert not list(folders.model.iterdir())
    train(folders, GIVEN, StopRequest())
    assert (folders.model / WEIGHTS).read_bytes() == (learnt.model / WEIGHTS).read_bytes()


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"size": 32}, "ModelMismatch", "64"),
        ({"token_word": "sks"}, "TokenWordUnusable", CAPTION),
    ],
)
def test_what_is_refused(base, tmp_path, changes, name, words):
    given = {**GIVEN, **changes}
    with pytest.raises(ProxytuneError) as refused:
        train(make_job(tmp_path / "ml", base, given), given, StopRequest())
    assert refused.value.name == name
    assert words in str(refused.value)


def test_one_picture_is_learnt_by_heart(base, tmp_path):
    given = {
        **GIVEN,
        "proxies": 1,
        "batch_size": 1,
        "rank": 32,
        "alpha": 32,
        "steps": 220,
        "learning_rate": 1e-2,
        "caption_dropout": 0.0,
        "checkpoint_every": 220,
    }
    folders = make_job(tmp_path / "ml", base, given)
    channel = folders.channel("proxies")
    for file in channel.rglob("*.out"):
        file.unlink()
    write_shard(channel / "0.json.out", [0])
    train(folders, given, StopRequest())
    student = load_student(base)
    wanted = tokenise(
        student.vq.encode, ProxySet(read_proxies(channel, 1), 64), torch.device("cpu"), at_once=1
    )
    assert len(wanted.unique()) > 8
    ask = (student.layout, [student.prompts.encode(CAPTION, 64, 64)], student.grid, [0])
    before = sample_codes(student.lm, *ask, guidance=1.0, temperature=0)
    after = sample_codes(load_adapter(student.lm, folders.model), *ask, guidance=1.0, temperature=0)
    assert torch.equal(after, wanted)
    assert not torch.equal(before, wanted)


def test_every_proxy_is_learnt_under_its_own_prompt_and_some_under_none(base, tmp_path):
    snow = "ohwx dog in the snow"
    for index, prompt in enumerate((CAPTION, snow, CAPTION)):
        write_shard(tmp_path / f"{index}.json.out", [index], prompt=prompt)
    proxies = ProxySet(read_proxies(tmp_path, 3), 64)
    lesson = families.Lesson(CAPTION, "ohwx", 0.5, rank=2, alpha=2, batch_size=3, seed=1)
    learner = LuminaLearner(base, 64, torch.device("cpu")).prepare(proxies, lesson)
    student, seen = load_student(base), []
    bare = learner._lumina()
    loss = bare.loss
    bare.loss = lambda ids, labels: seen.append((ids, labels)) or loss(ids, labels)
    draws = torch.Generator().manual_seed(2)
    for step in range(4):
        learner.loss(step, draws)
    codes, shown = tokenise(student.vq.encode, proxies, torch.device("cpu"), at_once=4), []
    blocks = student.layout.block(codes, student.grid).tolist()
    prompts = [student.prompts.encode(text, 64, 64) for text in (CAPTION, snow, CAPTION)]
    for ids, labels in seen:
        for row, wanted in zip(ids.tolist(), labels.tolist(), strict=True):
            start = row.index(student.layout.vocabulary.start)
            number = blocks.index(row[start : start + student.grid.block])
            assert row[:start] in ([], prompts[number])
            learnt = [*blocks[number], student.layout.vocabulary.separator]
            rest = len(row) - start - len(learnt)
            assert row[start:] == [*learnt, *[0] * rest]
            assert wanted == [*[-100] * start, *learnt, *[-100] * rest]
            shown.append((number, start > 0))
    assert [number for number, _ in shown[:3]] != [number for number, _ in shown[3:6]]
    assert {number for number, _ in shown[:3]} == {0, 1, 2}
    assert {with_prompt for _, with_prompt in shown} == {True, False}


def test_the_ids_of_a_batch_are_those_of_the_golden_layout():
    from proxytune.golden.lumina_lm import LAYOUT
    from proxytune.student.lumina.layout import Grid

    ids, labels = training_batch(LAYOUT, Grid(2, 2), [[0, 9, 8710], []], torch.tensor([[1, 2, 3, 4]] * 2))
    picture = [8197, 8805, 8805, 5, 6, 8803, 7, 8, 8803, 8196, 8710]
    assert ids.tolist() == [[0, 9, 8710, *picture], [*picture, 0, 0, 0]]
    assert labels.tolist() == [[-100, -100, -100, *picture], [*picture, -100, -100, -100]]


PROMPTS = ["a photo of ohwx dog", "ohwx dog in the snow", "a photo of ohwx cat"]


def chunk(count: int = 4, first: int = 0, **changes):
    pictures = [
        {"index": index, "prompt": PROMPTS[index % 3], "seed": 100 + index}
        for index in range(first, first + count)
    ]
    given = {"version": 1, "stage": "sample-student", "chunk": 0, "variant": "tuned", "size": 64}
    given |= {"batch_size": 4, "sampler": SAMPLER, "pictures": pictures}
    return chunks.parse(json.dumps({**given, **changes}).encode())


def pixels(images):
    return [np.asarray(image).tobytes() for image in images]


@pytest.fixture(scope="module")
def maker(base, learnt):
    made = families.picture_maker("lumina")
    made.load(base, learnt.model, torch.device("cpu"))
    return made


@pytest.fixture(scope="module")
def four(maker):
    return pixels(maker.draw(chunk()))


def test_pictures_are_squares_that_differ(maker, four):
    (image,) = maker.draw(chunk(1))
    assert (image.mode, image.size) == ("RGB", (64, 64))
    assert len(set(four)) == 4
    assert maker.sampler_kind == "autoregressive"


def test_batch_and_neighbours_change_no_picture(maker, four):
    assert pixels(maker.draw(chunk(batch_size=1))) == four
    assert pixels(maker.draw(chunk(2, first=2))) == four[2:]


def test_the_same_pictures_after_saving_and_reading(base, learnt, four):
    again = LuminaMaker()
    again.load(base, learnt.model, torch.device("cpu"))
    assert pixels(again.draw(chunk())) == four
    student = load_student(base)
    student.lm = PeftModel.from_pretrained(student.lm, str(learnt.model))
    again._student, again._lm = student, student.lm
    assert pixels(again.draw(chunk())) == four


def test_the_variant_base_is_the_untuned_model(maker, four, base):
    untuned = LuminaMaker()
    untuned.load(base, None, torch.device("cpu"))
    drawn = pixels(maker.draw(chunk(2, variant="base")))
    assert drawn == pixels(untuned.draw(chunk(2, variant="base")))
    assert drawn != four[:2]
    assert pixels(maker.draw(chunk())) == four
    with pytest.raises(ProxytuneError, match="no adapter"):
        untuned.draw(chunk())
    with pytest.raises(ProxytuneError, match="one size only"):
        maker.draw(chunk(size=32))


def test_the_estimate_of_activations_is_near_what_torch_keeps():
    from proxytune.student.adapters import add_adapter, bare

    # The proportions of 7B at an eighth of its width.
    sizes = {
        "hidden_size": 512,
        "intermediate_size": 1376,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
    }
    config = chameleon_config(
        {**sizes, "num_hidden_layers": 2, "vocab_size": 16, "dropout": 0.05, "vocabulary_map": {"<image>": 1}}
    )
    model = add_adapter(Lumina(config).to(torch.bfloat16), rank=16, alpha=16).train()
    own = {value.untyped_storage().data_ptr() for value in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids = torch.zeros(2, 64, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = bare(model).loss(ids, ids)
    assert loss.requires_grad
    assert sum(kept.values()) == pytest.approx(memory.activation_bytes(config, 2, 64), rel=0.15)
