"""Text features: cleaned captions through a T5 encoder, padded on the left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.finite import finite
from proxytune.student.families.llamagen.caption_cleaning import clean_for_model
from proxytune.training.token_word import check_encoded

if TYPE_CHECKING:
    from transformers import T5EncoderModel


class CaptionEncoder:
    """A T5 encoder (officially flan-t5-xl, 2048 wide) and its tokenizer.

    Args:
        text_encoder: float32 or bfloat16. Never float16: T5's gated feed-forward overflows in it.
        tokenizer: the matching transformers tokenizer.
        max_length: caption slots, officially 120; longer captions are cut.

    Raises:
        ProxytuneError: `ModelMismatch` for an encoder in float16, or with fewer ids than its tokenizer.
    """

    def __init__(self, text_encoder: T5EncoderModel, tokenizer: Any, max_length: int = 120) -> None:
        dtype, ids = text_encoder.dtype, text_encoder.config.vocab_size
        if dtype not in (torch.float32, torch.bfloat16):
            raise ProxytuneError(
                "ModelMismatch",
                what="The student's text encoder overflows in this number format",
                given=str(dtype),
                allowed="torch.float32, torch.bfloat16",
                remedy="load the text encoder in one of these",
            )
        if len(tokenizer) > ids:
            raise ProxytuneError(
                "ModelMismatch",
                what="The student's tokenizer does not belong to its text encoder",
                given=f"{len(tokenizer)} tokens",
                allowed=f"at most the encoder's {ids}",
                remedy="put the tokenizer that came with the text encoder into the model folder",
            )
        # Models built from a config are in train mode, and T5 then drops a tenth of everything.
        self.text_encoder = text_encoder.eval()
        self.tokenizer = tokenizer
        self.max_length = max_length

    @property
    def width(self) -> int:
        """Width of the features."""
        return int(self.text_encoder.config.d_model)

    @torch.no_grad()
    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Encode captions, cleaned as the official text pipeline cleans them.

        Args:
            captions: B texts, as users write them.

        Returns:
            Features (B, max_length, width) float32, valid ones at the right end, padded slots zero; and the
            mask (B, max_length) int64, 1 for a valid slot. Both on the encoder's device.

        Raises:
            ProxytuneError: ModelNotFinite.
        """
        tokens = self.tokenizer(
            [clean_for_model(caption) for caption in captions],
            max_length=self.max_length,
            padding="max_length",
            truncation=True,
            return_attention_mask=True,
            add_special_tokens=True,
            return_tensors="pt",
        )
        ids = tokens["input_ids"].to(self.text_encoder.device)
        mask = tokens["attention_mask"].to(self.text_encoder.device)
        hidden = self.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        part = f"student's text encoder {type(self.text_encoder).__name__}"
        of = "the captions " + ", ".join(f"'{caption}'" for caption in captions)
        return pad_left(finite(hidden, part, of).float(), mask)

    def check_word(self, word: str, caption: str) -> None:
        """Check that cleaner and tokenizer keep `word`, which stands for the subject, in `caption`.

        Raises:
            ProxytuneError: TokenWordUnusable.
        """
        cleaned, length = clean_for_model(caption), self.max_length
        check_encoded(word, caption, self.tokenizer, role="student", max_length=length, cleaned=cleaned)

    def save(self, folder: Path) -> None:
        """Write `text_encoder/` and `tokenizer/` into a model folder."""
        self.text_encoder.save_pretrained(folder / "text_encoder")
        self.tokenizer.save_pretrained(folder / "tokenizer")

    @classmethod
    def load(
        cls,
        folder: Path,
        max_length: int = 120,
        *,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> CaptionEncoder:
        """Read `text_encoder/` and `tokenizer/` of a model folder; nothing is downloaded.

        Raises:
            ProxytuneError: `ModelMismatch` when a part is missing or cannot be used.
        """
        # Imported here: transformers takes seconds, and most users of the package need no text encoder.
        from transformers import AutoTokenizer, T5EncoderModel

        for part in ("text_encoder", "tokenizer"):
            if not (folder / part).is_dir():
                raise ProxytuneError(
                    "ModelMismatch",
                    what=f"The model folder has no {part}/",
                    given=str(folder),
                    allowed="a folder with text_encoder/ and tokenizer/ as transformers saves them",
                    remedy=f"put the {part} of the model's T5 there",
                )
        encoder: Any = T5EncoderModel.from_pretrained(
            folder / "text_encoder", dtype=dtype, local_files_only=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        return cls(encoder.to(device), tokenizer, max_length)


def pad_left(features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Move each row's valid slots to the right end and zero the others.

    Args:
        features: (B, n, D), padded on the right.
        mask: (B, n), 1 for a valid slot.

    Returns:
        The features and the mask, padded on the left.
    """
    slots = mask.shape[1]
    lengths = mask.sum(dim=1, keepdim=True)
    # Slot i of the result is slot i + length of the input, modulo the number of slots.
    source = (torch.arange(slots, device=mask.device)[None] + lengths) % slots
    padded = mask.gather(1, source)
    gathered = features.gather(1, source[:, :, None].expand_as(features))
    return gathered * padded[:, :, None].to(features), padded
