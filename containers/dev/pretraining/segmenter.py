"""The segmenter: a CLIPSeg that finds the object that a prompt names, and nothing when it is not there.

transformers' class freezes its CLIP, because CIDAS trained only the decoder on top of OpenAI's. There is no
CLIP to start from here: both are trained together, on the true masks of the drawn world.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dev.drawn_subjects.captions import caption
from dev.pretraining.corpus import Corpus
from dev.pretraining.encoders import softened
from dev.pretraining.masks import masks_of, overlap, patch_shares
from dev.pretraining.positions import sine_positions
from dev.pretraining.texts import all_captions
from dev.pretraining.tokenizers import CLIP_SLOTS, clip_word_tokenizer, domain_words
from dev.tiny_models.encoders import IMAGENET_MEAN, IMAGENET_STD
from proxytune.drawn_world.appearance import CATEGORIES
from proxytune.drawn_world.render import SIZE

PATCH, WIDTH, LAYERS, HEADS = 4, 96, 4, 3
# The decoder reads the states behind these layers of the image encoder, the last first.
EXTRACTED = (1, 2, 3)
DECODER_WIDTH, PROJECTION = 64, 64
TEXT_WIDTH, TEXT_LAYERS, TEXT_HEADS = 64, 2, 2
# Factor on the sines; the patches' first vectors are about as large.
POSITIONS = 0.2
# Prompts of each category in a step, and the share of images that also get one of another category.
PROMPTS, ABSENT = 3, 0.5
# Weights of the errors of naming what an image shows, and what each of its patches shows.
NAMING, PATCHES = 0.5, 1.0
# What is left out of the folder.
TRAINING_ONLY = ("patch_names",)
# A patch shows the subject when the mask covers at least this share of it.
COVERED = 0.5
# Held-out images that an evaluation uses.
EVALUATED = 600
# A mask of fewer pixels than this share of the image counts as empty.
EMPTY = 0.01


def make_tokenizer() -> Any:
    """CLIP's tokenizer over the world's words."""
    return clip_word_tokenizer(domain_words(), CLIP_SLOTS)


def make_segmenter() -> Any:
    """A CLIPSegForImageSegmentation with fresh weights."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    tokenizer = make_tokenizer()
    text = {
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 3 * TEXT_WIDTH,
        "num_hidden_layers": TEXT_LAYERS,
        "num_attention_heads": TEXT_HEADS,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": CLIP_SLOTS,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "image_size": SIZE,
        "patch_size": PATCH,
    }
    config = CLIPSegConfig(
        text_config=text,
        vision_config=vision,
        projection_dim=PROJECTION,
        extract_layers=list(EXTRACTED),
        reduce_dim=DECODER_WIDTH,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=3 * DECODER_WIDTH,
    )
    segmenter = CLIPSegForImageSegmentation(config)
    with torch.no_grad():
        # The first is that of the class token.
        positions = segmenter.clip.vision_model.embeddings.position_embedding.weight
        positions[1:] = POSITIONS * sine_positions(SIZE // PATCH, WIDTH)
    return segmenter


class SegmenterTrainable:
    """A `loop.Trainable`: the mask of what the prompt names, empty for what the image does not show."""

    def __init__(self, corpus: Corpus, batch: int) -> None:
        segmenter = make_segmenter()
        # sdpa's backward pass in bfloat16 is slow on CPUs. The decoder's layers have their own configuration.
        segmenter.set_attn_implementation("eager")
        for layer in segmenter.decoder.layers:
            layer.self_attn.config._attn_implementation = "eager"
        # Background first, then the categories.
        segmenter.add_module("patch_names", nn.Linear(WIDTH, 1 + len(CATEGORIES)))
        self.module: nn.Module = segmenter
        self._corpus, self._batch, self._tokenizer = corpus, batch, make_tokenizer()
        self._prompts = _prompts_by_category()

    def loss(self, step: int, rng: torch.Generator) -> Tensor:
        """Cross-entropy of the pixels, and one minus the soft overlap of the masks.

        Two more terms name the image and its patches, the latter by a layer that is not kept: without them
        the image encoder learns colours and hardly any shapes, and the decoder ignores the prompt.
        """
        numbers = self._corpus.sample(self._batch, rng)
        images = softened(seen(self._corpus, numbers), rng)
        categories = torch.from_numpy(self._corpus.category)[numbers].long()
        prompts, own = self._sampled_prompts(categories, rng)
        absent = torch.arange(int(ABSENT * self._batch))
        others = torch.randint(1, len(CATEGORIES), (len(absent),), generator=rng)
        wrong = (categories[absent] + others) % len(CATEGORIES) * PROMPTS
        rows = torch.cat([torch.arange(self._batch), absent])
        shown = masks_of(self._corpus, numbers)[rows]

        states, pooled = self._image_states(self.module, images)
        conditions = self._conditions(self.module, prompts)
        segmenter: Any = self.module
        logits = segmenter.decoder(
            [state[rows] for state in states], conditions[torch.cat([own, wrong])]
        ).logits.float()
        naming = self._naming_error(pooled.float(), conditions.float(), categories)
        covered = patch_shares(shown[: self._batch], PATCH) >= COVERED
        of_patches = F.cross_entropy(
            segmenter.patch_names(states[-1][:, 1:]).float().transpose(1, 2),
            torch.where(covered, categories[:, None] + 1, 0),
            reduction="none",
        )
        # Until the patches know what they show, absent things would only teach it to find nothing at all.
        error = _mask_error(logits, shown, self._batch, _known(of_patches[covered].detach()))
        return error + NAMING * naming + PATCHES * of_patches.mean()

    def evaluate(self, module: nn.Module) -> dict[str, float]:
        """Mean overlap with the true masks, sharp and softened; how often a wrong prompt finds nothing."""
        numbers = self._corpus.held_out[:EVALUATED]
        sharp = seen(self._corpus, numbers)
        soft = softened(sharp, torch.Generator().manual_seed(1))
        categories = torch.from_numpy(self._corpus.category)[numbers].long()
        conditions = self._conditions(module, [caption(category) for category in CATEGORIES])
        true = masks_of(self._corpus, numbers)
        marked = {
            name: torch.cat(
                [
                    self._marked(module, images[part], conditions[asked[part]])
                    for part in torch.arange(len(numbers)).split(100)
                ]
            )
            for name, images, asked in (
                ("sharp", sharp, categories),
                ("soft", soft, categories),
                ("wrong", sharp, (categories + 1) % len(CATEGORIES)),
            )
        }
        pooled = torch.cat([self._image_states(module, part)[1].float() for part in sharp.split(100)])
        named = (F.normalize(pooled, dim=-1) @ F.normalize(conditions.float(), dim=-1).T).argmax(dim=1)
        return {
            "category": float((named == categories).float().mean()),
            "overlap": float(overlap(marked["sharp"], true).mean()),
            "softened_overlap": float(overlap(marked["soft"], true).mean()),
            "empty_when_absent": float((marked["wrong"].mean(dim=(1, 2)) < EMPTY).float().mean()),
        }

    def _marked(self, module: Any, images: Tensor, conditions: Tensor) -> Tensor:
        states, _ = self._image_states(module, images)
        return (module.decoder(states, conditions).logits > 0).float()

    def _naming_error(self, images: Tensor, texts: Tensor, categories: Tensor) -> Tensor:
        """Cross-entropy of the category by CLIP's logits: else the decoder ignores the prompt for long."""
        segmenter: Any = self.module
        logits = F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T * segmenter.clip.logit_scale.exp()
        named = logits.view(len(images), len(CATEGORIES), PROMPTS).logsumexp(dim=2)
        return F.cross_entropy(named, categories)

    def _sampled_prompts(self, categories: Tensor, rng: torch.Generator) -> tuple[list[str], Tensor]:
        """`PROMPTS` texts of each category, and the number of the text that each image gets."""
        texts = [
            prompts[int(torch.randint(len(prompts), (1,), generator=rng))] if place else prompts[0]
            for prompts in self._prompts
            for place in range(PROMPTS)
        ]
        chosen = torch.randint(PROMPTS, (len(categories),), generator=rng)
        return texts, categories * PROMPTS + chosen

    def _conditions(self, segmenter: Any, texts: list[str]) -> Tensor:
        tokens = self._tokenizer(
            texts, padding="max_length", max_length=CLIP_SLOTS, truncation=True, return_tensors="pt"
        )
        return segmenter.clip.get_text_features(**tokens).pooler_output

    def _image_states(self, segmenter: Any, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """States that the decoder reads, as in `CLIPSegForImageSegmentation.forward`, but with gradient."""
        seen_by = segmenter.clip.get_image_features(pixel_values=images, output_hidden_states=True)
        return [seen_by.hidden_states[layer + 1] for layer in EXTRACTED], seen_by.pooler_output


def seen(corpus: Corpus, numbers: Tensor) -> Tensor:
    """Images as CLIPSeg's processor passes them on: (n, 3, 32, 32)."""
    return corpus.normalised(numbers, IMAGENET_MEAN, IMAGENET_STD)


def _prompts_by_category() -> list[list[str]]:
    """All texts that name a category: its name alone or with an article, then all captions of the domain."""
    texts = all_captions(0).texts
    return [
        [
            caption(category),
            category,
            *(text for text in texts if category in text.split()),
        ]
        for category in CATEGORIES
    ]


def _known(errors: Tensor) -> float:
    """How well patches name what they show, by the mean of their cross-entropies: 0 by chance, 1 surely."""
    chance = 1 / len(CATEGORIES)
    return max(0.0, (math.exp(-float(errors.mean())) - chance) / (1 - chance))


def _mask_error(logits: Tensor, shown: Tensor, present: int, known: float) -> Tensor:
    """Cross-entropy of the pixels, and what the soft masks miss.

    Args:
        logits: (n, h, w) of the decoder.
        shown: (n, h, w) masks of what the images show.
        present: of the first so many images the prompt names that; of the others, something else.
        known: weight of the others, from 0 to 1.
    """
    named = torch.arange(len(shown)) < present
    pixels = F.binary_cross_entropy_with_logits(logits, shown * named.view(-1, 1, 1), reduction="none")
    shares, areas = torch.sigmoid(logits), shown.sum(dim=(1, 2)).clamp(min=1)
    both = (shares * shown).sum(dim=(1, 2))
    either = shares.sum(dim=(1, 2)) + areas - both
    missed = torch.where(named, 1 - both / either, both / areas)
    weights = torch.where(named, 1.0, known)
    return ((pixels.mean(dim=(1, 2)) + missed) * weights).sum() / weights.sum()
