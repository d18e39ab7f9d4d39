"""The measuring encoders: a CLIP over pictures and descriptions, a ViT in DINO's role.

Both see pictures as `proxytune.evaluation` prepares them.
"""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from dev.pretraining.corpus import VIEWS, Corpus
from dev.pretraining.descriptions import describe, words
from dev.pretraining.tokenizers import clip_word_tokenizer, domain_words
from dev.tiny_models.encoders import CLIP_MEAN, CLIP_STD
from proxytune.drawn_world.appearance import CATEGORIES
from proxytune.drawn_world.render import SIZE
from proxytune.metrics.encoders import DINO_RESIZE_TO_CROP
from proxytune.metrics.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

# Slots of the longest description: begin, 12 words, context of 4, end; token words are read byte by byte.
SLOTS = 32
PATCH, WIDTH, LAYERS, HEADS = 4, 96, 4, 3
PROJECTION = 64
# Held-out appearances among which the same one has to be found.
AMONG = 100
# Share of the pictures that are softened, so that a decoder's blur does not decide the scores.
SOFTENED = 0.5


def _three(values: list[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue


CLIP_VIEW = Preprocessing(SIZE, SIZE, _three(CLIP_MEAN), _three(CLIP_STD))
DINO_VIEW = Preprocessing(
    resize=round(SIZE * DINO_RESIZE_TO_CROP), crop=SIZE, mean=IMAGENET_MEAN, std=IMAGENET_STD
)


def make_clip_tokenizer() -> Any:
    """CLIP's tokenizer over the world's words and those of descriptions."""
    return clip_word_tokenizer(domain_words() | words(), SLOTS)


def make_clip() -> Any:
    """A CLIPModel with fresh weights."""
    from transformers import CLIPConfig, CLIPModel

    tokenizer = make_clip_tokenizer()
    sizes = {
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
    }
    text = {
        **sizes,
        "num_hidden_layers": 2,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": SLOTS,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {**sizes, "image_size": SIZE, "patch_size": PATCH}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=PROJECTION))


def make_vit() -> Any:
    """A ViTModel with fresh weights, without pooler."""
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        image_size=SIZE,
        patch_size=PATCH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return ViTModel(config, add_pooling_layer=False)


class ClipTrainable:
    """A `loop.Trainable`: which description belongs to which picture of the batch."""

    def __init__(self, corpus: Corpus, batch: int) -> None:
        self.module: nn.Module = make_clip()
        self._corpus, self._batch, self._tokenizer = corpus, batch, make_clip_tokenizer()

    def loss(self, step: int, rng: torch.Generator) -> Tensor:
        """Cross-entropy both ways; descriptions that are word for word the same all count as right."""
        numbers = self._corpus.sample(self._batch, rng)
        texts = describe(self._corpus, numbers, rng)
        pictures = softened(seen(self._corpus, numbers, CLIP_VIEW), rng)
        return self._error(self.module, pictures, texts)

    def evaluate(self, module: nn.Module) -> dict[str, float]:
        """The same loss of two hundred held-out pictures."""
        numbers = self._corpus.held_out[: 2 * AMONG]
        pictures = seen(self._corpus, numbers, CLIP_VIEW)
        texts = describe(self._corpus, numbers, torch.Generator().manual_seed(1))
        return {"loss": float(self._error(module, pictures, texts))}

    def _error(self, clip: Any, pictures: Tensor, texts: list[str]) -> Tensor:
        tokens = self._tokenizer(
            texts, padding="max_length", max_length=SLOTS, truncation=True, return_tensors="pt"
        )
        answer = clip(pixel_values=pictures, **tokens)
        same = torch.tensor([[one == other for other in texts] for one in texts]).float()
        right = same / same.sum(dim=1, keepdim=True)
        logits = answer.logits_per_image.float()
        return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


class DinoTrainable:
    """A `loop.Trainable`: which two pictures show one object, among others of its category.

    DINO itself learns without labels from crops of one picture; here two true views of an object are at hand.
    """

    def __init__(self, corpus: Corpus, batch: int) -> None:
        vit = make_vit()
        vit.register_parameter("sharpness", nn.Parameter(torch.tensor(2.3)))
        self.module: nn.Module = vit
        self._corpus, self._batch = corpus, batch
        first = torch.arange(0, corpus.training, VIEWS)
        categories = torch.from_numpy(corpus.category[first.numpy()])
        self._by_category = [first[categories == number] for number in range(len(CATEGORIES))]

    def loss(self, step: int, rng: torch.Generator) -> Tensor:
        """Cross-entropy both ways, of two categories at a time."""
        numbers = []
        for category in torch.randperm(len(CATEGORIES), generator=rng)[:2].tolist():
            own = self._by_category[category]
            numbers.append(own[torch.randperm(len(own), generator=rng)[: self._batch // 2]])
        logits = self._alike(self.module, *self._corpus.two_views(torch.cat(numbers), rng), rng)
        right = torch.arange(len(logits))
        return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2

    def evaluate(self, module: nn.Module) -> dict[str, float]:
        """How often the nearest of a hundred held-out pictures is the other view of the same object."""
        found, parts = 0, self._corpus.held_out[::VIEWS].split(AMONG)
        for numbers in parts:
            logits = self._alike(module, numbers, numbers + 1, None)
            found += int((logits.argmax(dim=1) == torch.arange(len(logits))).sum())
        return {"retrieval": found / sum(len(numbers) for numbers in parts)}

    def _alike(self, vit: Any, one: Tensor, other: Tensor, rng: torch.Generator | None) -> Tensor:
        """(n, n): views `one` against views `other`."""
        pictures = seen(self._corpus, torch.cat([one, other]), DINO_VIEW)
        if rng is not None:
            pictures = softened(pictures, rng)
        vectors = F.normalize(vit(pictures).last_hidden_state[:, 0].float(), dim=-1)
        first, second = vectors.chunk(2)
        return first @ second.T * vit.sharpness.exp()


def seen(corpus: Corpus, numbers: Tensor, view: Preprocessing) -> Tensor:
    """Pictures as an encoder is given them by the evaluation: (n, 3, 32, 32)."""
    return torch.stack([view(Image.fromarray(corpus.pixels[number])) for number in numbers.tolist()])


def softened(pictures: Tensor, rng: torch.Generator) -> Tensor:
    """Half of the pictures blended with their 3 x 3 mean, by a share drawn at random."""
    count = len(pictures)
    share = torch.rand(count, 1, 1, 1, generator=rng) * (torch.rand(count, 1, 1, 1, generator=rng) < SOFTENED)
    return torch.lerp(pictures, F.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False), share)
