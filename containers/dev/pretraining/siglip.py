"""An encoder of SigLIP 2's classes: images and texts in one space, and patches that tell subjects apart.

A measure of identity compares patch tokens inside the subject's mask, a measure of the prompt pools the
patches outside it (MaSC, arXiv 2605.22469, on google/siglip2-so400m-patch16-naflex, which is a Siglip2Model).
Both uses are trained here: a real checkpoint owes them to billions of images.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dev.drawn_subjects.captions import FRAMES
from dev.pretraining.corpus import VIEWS, Corpus
from dev.pretraining.descriptions import describe, true_descriptions, words
from dev.pretraining.encoders import AMONG, softened
from dev.pretraining.masks import masks_of, patch_shares
from dev.pretraining.positions import sine_positions
from dev.pretraining.siglip_tokenizer import SLOTS, siglip_word_tokenizer
from dev.pretraining.tokenizers import domain_words
from proxytune.drawn_world.appearance import CATEGORIES
from proxytune.drawn_world.render import SIZE
from proxytune.drawn_world.scene import CONTEXTS

PATCH, WIDTH, LAYERS, HEADS = 4, 96, 4, 3
SIDE = SIZE // PATCH
TEXT_WIDTH, TEXT_LAYERS, TEXT_HEADS = 64, 2, 2
# Factor on the sines; the patches' first vectors are about as large.
POSITIONS = 0.7
# Where SigLIP's temperature and bias begin (arXiv 2303.15343, section 3.1).
FIRST_SCALE, FIRST_BIAS = math.log(10), -10.0
# Categories in a step: the fewer, the more alike are the subjects that have to be separated.
CATEGORIES_AT_ONCE = 3
# Share of a subject's patches that stand for it in a step, so that each of them has to show its looks.
KEPT = 0.3
# Logarithm of the factor on cosines of subjects, at the beginning.
FIRST_SHARPNESS = 2.3
# Weights of the texts' errors, which are sums over all texts, and of the masks'.
TEXTS, OUTLINES = 0.2, 2.0
# What is left out of the folder.
TRAINING_ONLY = ("sharpness", "outline")
# A patch is the subject's when the mask covers more than this share of it, as in MaSC.
COVERED = 0.5
# Prompts whose subject was cut out, as MaSC compares them with the surroundings.
CUT = tuple(f"{frame}{context}" for frame in ("", "a photo of ") for context in CONTEXTS)
# Texts that name the category alone, which few descriptions do.
BARE = tuple(f"{frame} {category}" for frame in FRAMES for category in CATEGORIES)


def make_tokenizer() -> Any:
    """SigLIP 2's tokenizer over the world's words and those of descriptions."""
    return siglip_word_tokenizer(domain_words() | words())


def make_siglip() -> Any:
    """A Siglip2Model with fresh weights."""
    from transformers import Siglip2Config, Siglip2Model

    tokenizer = make_tokenizer()
    text = {
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 3 * TEXT_WIDTH,
        "num_hidden_layers": TEXT_LAYERS,
        "num_attention_heads": TEXT_HEADS,
        "projection_size": WIDTH,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": SLOTS,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    vision = {
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "patch_size": PATCH,
        "num_patches": SIDE * SIDE,
    }
    model = Siglip2Model(Siglip2Config(text_config=text, vision_config=vision))
    with torch.no_grad():
        model.logit_scale.fill_(FIRST_SCALE)
        model.logit_bias.fill_(FIRST_BIAS)
        positions = model.vision_model.embeddings.position_embedding.weight
        positions.copy_(POSITIONS * sine_positions(SIDE, WIDTH))
    return model


class SiglipTrainable:
    """A `loop.Trainable`: texts that are true of images or their surroundings; patches of one subject."""

    def __init__(self, corpus: Corpus, batch: int) -> None:
        siglip = make_siglip()
        # sdpa's backward pass in bfloat16 is slow on CPUs.
        siglip.set_attn_implementation("eager")
        siglip.register_parameter("sharpness", nn.Parameter(torch.tensor(FIRST_SHARPNESS)))
        siglip.add_module("outline", nn.Linear(WIDTH, PATCH * PATCH))
        self.module: nn.Module = siglip
        self._corpus, self._batch, self._tokenizer = corpus, batch, make_tokenizer()
        first = torch.arange(0, corpus.training, VIEWS)
        categories = torch.from_numpy(corpus.category[first.numpy()])
        self._by_category = [first[categories == number] for number in range(len(CATEGORIES))]

    def loss(self, step: int, rng: torch.Generator) -> Tensor:
        """SigLIP's loss of texts with images, with subjects and with surroundings; and two dense terms.

        These are cross-entropy both ways of the subjects' patches, and of the masks' pixels by a layer that
        is not kept: without outlines the encoder learns colours quickly and categories late.
        """
        numbers = torch.cat(self._corpus.two_views(self._sampled_subjects(rng), rng))
        texts = [*describe(self._corpus, numbers, rng), *BARE, *CUT]
        images = softened(self._corpus.pictures(numbers).contiguous(), rng)
        masks = masks_of(self._corpus, numbers)
        shares = patch_shares(masks, PATCH)
        siglip: Any = self.module

        tokens = patch_tokens(siglip, images)
        named = text_vectors(siglip, self._tokenizer, texts)
        bare, cut = slice(-len(CUT) - len(BARE), -len(CUT)), slice(-len(CUT), None)
        contexts = torch.from_numpy(self._corpus.context)[numbers].long()
        true = torch.cat([self._truths(numbers, texts[: -len(CUT)]), _of_contexts(contexts)], dim=1)
        pairs = ((None, slice(None)), (shares >= COVERED, bare), (shares < COVERED, cut))
        errors = [
            self._text_error(siglip, pooled(siglip, tokens, visible), named[part], true[:, part])
            for visible, part in pairs
        ]

        kept = shares * (torch.rand(shares.shape, generator=rng) < KEPT) + 1e-3 * shares
        one, other = subjects(tokens, kept).chunk(2)
        logits = one @ other.T * siglip.sharpness.exp()
        right = torch.arange(len(logits))
        subjects_error = (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2
        outlines = siglip.outline(tokens).float()
        outline_error = F.binary_cross_entropy_with_logits(outlines, pixels_of(masks))
        return TEXTS * torch.stack(errors).sum() + subjects_error + OUTLINES * outline_error

    def evaluate(self, module: nn.Module) -> dict[str, float]:
        """Shares of held-out images whose other view, category, context, and context alone are found."""
        siglip: Any = module
        numbers = self._corpus.held_out
        tokens = torch.cat(
            [
                patch_tokens(siglip, self._corpus.pictures(part).contiguous()).float()
                for part in numbers.split(200)
            ]
        )
        shares = patch_shares(masks_of(self._corpus, numbers), PATCH)
        categories = torch.from_numpy(self._corpus.category)[numbers].long()
        contexts = torch.from_numpy(self._corpus.context)[numbers].long()
        captions = [f"a photo of a {category} {context}" for category in CATEGORIES for context in CONTEXTS]
        vectors = text_vectors(siglip, self._tokenizer, [*captions, *CUT[-len(CONTEXTS) :]])
        nearest = (pooled(siglip, tokens, None) @ vectors[: len(captions)].T).argmax(dim=1)
        around = (pooled(siglip, tokens, shares < COVERED) @ vectors[len(captions) :].T).argmax(dim=1)
        return {
            "retrieval": _retrieval(subjects(tokens, shares), categories),
            "category": _share(nearest // len(CONTEXTS) == categories),
            "context": _share(nearest % len(CONTEXTS) == contexts),
            "context_around": _share(around == contexts),
        }

    def _sampled_subjects(self, rng: torch.Generator) -> Tensor:
        """Numbers of the first views of `batch / 2` subjects, of a few categories."""
        chosen = torch.randperm(len(CATEGORIES), generator=rng)[:CATEGORIES_AT_ONCE].tolist()
        parts = torch.arange(self._batch // 2).tensor_split(CATEGORIES_AT_ONCE)
        numbers = []
        for category, part in zip(chosen, parts, strict=True):
            own = self._by_category[category]
            numbers.append(own[torch.randperm(len(own), generator=rng)[: len(part)]])
        return torch.cat(numbers)

    def _truths(self, numbers: Tensor, texts: list[str]) -> Tensor:
        """(images, texts): 1 where the text is true of the image, else 0."""
        rows = [true_descriptions(self._corpus, number) for number in numbers.tolist()]
        return torch.tensor([[text in true for text in texts] for true in rows]).float()

    def _text_error(self, siglip: Any, images: Tensor, texts: Tensor, true: Tensor) -> Tensor:
        logits = images @ texts.T * siglip.logit_scale.exp() + siglip.logit_bias
        return -F.logsigmoid((2 * true - 1) * logits).sum(dim=1).mean()


def patch_tokens(siglip: Any, images: Tensor) -> Tensor:
    """The image encoder's last states: (n, 3, 32, 32) in [-1, 1] to (n, patches, width)."""
    count = len(images)
    # As Siglip2ImageProcessor cuts them: rows of patches; in each the rows of pixels, and colours last.
    rows = images.reshape(count, 3, SIDE, PATCH, SIDE, PATCH).permute(0, 2, 4, 3, 5, 1)
    answer = siglip.vision_model(
        pixel_values=rows.reshape(count, SIDE * SIDE, 3 * PATCH * PATCH),
        pixel_attention_mask=None,
        spatial_shapes=torch.full((count, 2), SIDE),
    )
    return answer.last_hidden_state


def pixels_of(masks: Tensor) -> Tensor:
    """Masks cut into patches: (n, 32, 32) to (n, patches, pixels of a patch)."""
    rows = masks.reshape(-1, SIDE, PATCH, SIDE, PATCH).transpose(2, 3)
    return rows.reshape(len(masks), SIDE * SIDE, PATCH * PATCH)


def pooled(siglip: Any, tokens: Tensor, visible: Tensor | None) -> Tensor:
    """Unit vectors of images, from the patches that are `visible` (n, patches) or from all: (n, width)."""
    vectors = siglip.vision_model.head(tokens, visible if visible is None else visible.long())
    return F.normalize(vectors.float(), dim=-1)


def subjects(tokens: Tensor, weights: Tensor) -> Tensor:
    """Unit vectors of the patches' weighted sums: (n, patches, width) and (n, patches) to (n, width)."""
    return F.normalize(torch.einsum("npw,np->nw", tokens.float(), weights), dim=-1)


def text_vectors(siglip: Any, tokenizer: Any, texts: list[str]) -> Tensor:
    """Unit vectors of texts: (n, width). No mask: the checkpoints were trained to read the padding too."""
    ids = tokenizer(texts, padding="max_length", max_length=SLOTS, truncation=True, return_tensors="pt")
    return F.normalize(siglip.text_model(input_ids=ids["input_ids"]).pooler_output.float(), dim=-1)


def _of_contexts(contexts: Tensor) -> Tensor:
    """(images, texts of CUT): 1 where the text names the image's context, else 0."""
    return F.one_hot(contexts, len(CONTEXTS)).repeat(1, len(CUT) // len(CONTEXTS)).float()


def _retrieval(vectors: Tensor, categories: Tensor) -> float:
    """How often the nearest of up to a hundred second views of a category is the same subject's."""
    one, other, own = vectors[::VIEWS], vectors[1::VIEWS], categories[::VIEWS]
    found = []
    for category in own.unique().tolist():
        rows = (own == category).nonzero()[:AMONG, 0]
        found.append((one[rows] @ other[rows].T).argmax(dim=1) == torch.arange(len(rows)))
    return _share(torch.cat(found))


def _share(right: Tensor) -> float:
    return float(right.float().mean())
