"""A tiny Janus: transformers' own classes, with a tokenizer whose special tokens are named as Janus-Pro's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dev.tiny_models.sizes import PICTURE_SIZE
from dev.tiny_models.tokenizers import byte_letters

SEED = 1006
WIDTH = 64
CODES, CODE_WIDTH = 256, 8
# Stride 8 instead of 16: 8 x 8 codes, so that sequences are long enough to be sequences.
VQ_LEVELS = (1, 1, 1, 1)
STRIDE = 2 ** (len(VQ_LEVELS) - 1)
# Names of Janus-Pro's tokenizer: begin, end and padding of a text; speakers; a picture.
SPECIAL_TOKENS = {
    "bos_token": "<\uff5cbegin\u2581of\u2581sentence\uff5c>",
    "eos_token": "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "pad_token": "<\uff5c\u2581pad\u2581\uff5c>",
}
MORE_SPECIAL_TOKENS = (
    "<|User|>",
    "<|Assistant|>",
    "<image_placeholder>",
    "<begin_of_image>",
    "<end_of_image>",
)
# So that untuned logits differ enough for sampling to choose, that words and codes matter to the layers, and
# that the codebook is spread as its latents are.
HEAD_DEVIATION, EMBEDDING_DEVIATION, CODEBOOK_DEVIATION = 0.2, 1.0, 1.0


def write(folder: Path) -> None:
    """Write the model as transformers saves it."""
    from transformers import JanusForConditionalGeneration

    tokenizer = make_tokenizer()
    torch.manual_seed(SEED)
    model = JanusForConditionalGeneration(_config(tokenizer))
    parts = model.model
    for weight, deviation in (
        (parts.generation_head.proj_out.weight, HEAD_DEVIATION),
        (parts.generation_head.vision_head.weight, HEAD_DEVIATION),
        (parts.language_model.embed_tokens.weight, EMBEDDING_DEVIATION),
        (parts.generation_embeddings.weight, EMBEDDING_DEVIATION),
        (parts.generation_aligner.fc1.weight, HEAD_DEVIATION),
        (parts.generation_aligner.hidden_layers[0].weight, HEAD_DEVIATION),
        (parts.vqmodel.quantize.embedding.weight, CODEBOOK_DEVIATION),
    ):
        torch.nn.init.normal_(weight, std=deviation)
    settings = model.generation_config
    # Else transformers would create it from config.json, which lacks the token that begins a picture.
    settings._from_model_config = False
    for name in SPECIAL_TOKENS:
        setattr(settings, f"{name}_id", getattr(tokenizer, f"{name}_id"))
    settings.generation_kwargs = {"boi_token_id": tokenizer.convert_tokens_to_ids("<begin_of_image>")}
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _config(tokenizer: Any) -> Any:
    from transformers import JanusConfig

    return JanusConfig(
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": 160,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "max_position_embeddings": 512,
            **{f"{name}_id": getattr(tokenizer, f"{name}_id") for name in SPECIAL_TOKENS},
        },
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": PICTURE_SIZE,
            "patch_size": STRIDE,
            "projection_dim": WIDTH,
            "num_image_tokens": (PICTURE_SIZE // STRIDE) ** 2,
        },
        vq_config={
            "embed_dim": CODE_WIDTH,
            "num_embeddings": CODES,
            "latent_channels": 32,
            # Its norms have 32 groups.
            "base_channels": 32,
            "channel_multiplier": list(VQ_LEVELS),
            "num_res_blocks": 1,
            "projection_dim": WIDTH,
            "image_token_embed_dim": WIDTH,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image_placeholder>"),
        tie_word_embeddings=False,
    )


def make_tokenizer() -> Any:
    """A byte-level tokenizer without merges: every byte is a token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = [*SPECIAL_TOKENS.values(), *MORE_SPECIAL_TOKENS]
    pieces = [*names, *sorted(byte_letters().values())]
    tokenizer = Tokenizer(models.BPE(vocab={piece: place for place, piece in enumerate(pieces)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL_TOKENS)
