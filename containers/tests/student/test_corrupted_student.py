"""Models and adapters that are not finite are refused, in training and in generation."""

import pytest
import torch
from corrupted import corrupted
from learn_job import CAPTION
from students import TINY, chunk, prepared, proxy_set

from proxytune.contract.errors import ProxytuneError
from proxytune.student.families import registry

NAN = float("nan")
# Family -> its file with the image tokenizer, and the end of the tokenizer's last tensors there.
TOKENIZERS = {
    "janus": ("model.safetensors", "model.vqmodel."),
    "llamagen": ("vq.safetensors", ""),
    "lumina": ("vq.safetensors", ""),
}


def test_every_family_is_tested():
    assert sorted(TOKENIZERS) == sorted(registry.FAMILIES)


@pytest.fixture(params=sorted(TOKENIZERS))
def family(request):
    return request.param


def with_a_corrupt_tokenizer(family, tiny_model, tmp_path, side):
    file, prefix = TOKENIZERS[family]
    return corrupted(tiny_model(TINY[family]), tmp_path, file, f"{prefix}{side}.conv_out.bias", NAN)


def test_proxies_are_not_learned_from_a_corrupt_tokenizer(family, tiny_model, tmp_path):
    base = with_a_corrupt_tokenizer(family, tiny_model, tmp_path, "encoder")
    with pytest.raises(ProxytuneError, match="encoder of the student's image tokenizer") as caught:
        prepared(family, base, proxy_set(tmp_path / "proxies"))
    assert caught.value.name == "ModelNotFinite"


def test_a_corrupt_image_is_refused_instead_of_black(family, tiny_model, tmp_path):
    base = with_a_corrupt_tokenizer(family, tiny_model, tmp_path, "decoder")
    generator = registry.image_generator(family)
    generator.load(base, None, torch.device("cpu"))
    with pytest.raises(ProxytuneError, match="for the image of seed 100") as caught:
        generator.generate(chunk(1, variant="base"))
    assert caught.value.name == "ModelNotFinite"


def test_a_caption_is_not_learned_from_a_corrupt_text_encoder(tiny_model, tmp_path):
    file, tensor = "text_encoder/model.safetensors", "encoder.final_layer_norm.weight"
    base = corrupted(tiny_model(TINY["llamagen"]), tmp_path, file, tensor, NAN)
    with pytest.raises(
        ProxytuneError, match=f"T5EncoderModel .*float32, for the captions '{CAPTION}'"
    ) as caught:
        prepared("llamagen", base, proxy_set(tmp_path / "proxies"))
    assert caught.value.name == "ModelNotFinite"


# Family -> a file with the transformer, and a factor of a norm in it.
TRANSFORMERS = {
    "janus": ("model.safetensors", "model.language_model.layers.0.input_layernorm.weight"),
    "llamagen": ("gpt.safetensors", "layers.0.attention_norm.weight"),
    "lumina": ("transformer/model.safetensors", "model.layers.0.input_layernorm.weight"),
}


def test_a_corrupt_transformer_is_not_blamed_on_the_learning_rate(family, tiny_model, tmp_path):
    file, tensor = TRANSFORMERS[family]
    base = corrupted(tiny_model(TINY[family]), tmp_path, file, tensor, NAN)
    with pytest.raises(ProxytuneError, match="transformer .*import the model again") as caught:
        prepared(family, base, proxy_set(tmp_path / "proxies"))
    assert caught.value.name == "ModelNotFinite"


@pytest.mark.parametrize("value", [NAN, float("inf")])
def test_an_adapter_corrupted_by_its_last_step_is_refused(family, tiny_model, tmp_path, value):
    trainer = prepared(family, tiny_model(TINY[family]), proxy_set(tmp_path / "proxies"))
    with torch.no_grad():
        for _, parameter in trainer.named_parameters():
            parameter.fill_(value)
    with pytest.raises(ProxytuneError, match="trained student .*advanced.learn.learningRate") as caught:
        trainer.save(tmp_path / "adapter")
    assert caught.value.name == "ModelNotFinite"
