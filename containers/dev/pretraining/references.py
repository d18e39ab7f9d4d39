"""The teacher's second condition: reference images, by the classes of diffusers' IP-Adapter.

An image encoder turns each reference into tokens, a resampler keeps a few of them, and every cross-attention
of the U-Net reads them next to the caption. The files have the layout of IP-Adapter Plus for SDXL, so that
`StableDiffusionXLPipeline.load_ip_adapter` reads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dev.pretraining.corpus import VIEWS, Corpus
from dev.pretraining.encoders import CLIP_VIEW, softened
from proxytune.drawn_world.render import SIZE

WEIGHTS = "ip-adapter-plus_sdxl.safetensors"
# The image encoder's patches, width and layers; the last layer but one is read, as in IP-Adapter Plus.
PATCH, WIDTH, LAYERS, HEADS = 4, 96, 3, 3
# The resampler: tokens of each reference, its width, and what its loader in diffusers takes for granted.
TOKENS, HIDDEN, DEPTH, HEAD_WIDTH = 8, 128, 4, 64
# References of a picture while training: one to all other views of its appearance.
MOST = VIEWS - 1
# Shares of the pictures without caption and references, without references, and without caption. Guidance
# contrasts with neither.
NEITHER, NO_REFERENCES, NO_CAPTION = 0.1, 0.05, 0.05


class ReferenceAdapter(nn.Module):
    """Image encoder, resampler, and the attention to their tokens.

    Args:
        unet: the U-Net that reads the tokens; not kept.
    """

    def __init__(self, unet: Any) -> None:
        from diffusers.models.embeddings import IPAdapterPlusImageProjection

        super().__init__()
        self.image_encoder = make_image_encoder()
        self.projection = IPAdapterPlusImageProjection(
            embed_dims=WIDTH,
            output_dims=unet.config.cross_attention_dim,
            hidden_dims=HIDDEN,
            depth=DEPTH,
            dim_head=HEAD_WIDTH,
            heads=HIDDEN // HEAD_WIDTH,
            num_queries=TOKENS,
        )
        self.attention = nn.ModuleList(_attention(unet))

    def tokens(self, pixels: Tensor) -> Tensor:
        """Compute the tokens of references.

        Args:
            pixels: (B, n, 3, 32, 32), normalised for the image encoder; zeros stand for no reference.

        Returns:
            (B, n, TOKENS, width of the captions' states).
        """
        states = self.image_encoder(pixels.flatten(0, 1), output_hidden_states=True).hidden_states[-2]
        found: Tensor = self.projection(states)
        return found.unflatten(0, pixels.shape[:2])

    def attach(self, unet: Any) -> None:
        """Let the U-Net's cross-attentions read the tokens; `detach` ends that."""
        names = list(unet.attn_processors)
        mine = iter(self.attention)
        processors = {name: next(mine) if _crosses(name) else unet.attn_processors[name] for name in names}
        unet.set_attn_processor(processors)

    @staticmethod
    def detach(unet: Any) -> None:
        """Return the U-Net to captions alone, with the plain attention of `make_unet`."""
        from diffusers.models.attention_processor import AttnProcessor

        unet.set_attn_processor(AttnProcessor())

    def write(self, folder: Path) -> None:
        """Write the weights and the image encoder as `load_ip_adapter` reads them."""
        self.image_encoder.eval().save_pretrained(folder / "image_encoder", safe_serialization=True)
        halves: dict[str, list[Tensor]] = {}
        for name, value in self._named():
            halves.setdefault(name, []).append(value.detach())
        weights = {name: torch.cat(values).contiguous() for name, values in halves.items()}
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})

    @torch.no_grad()
    def read(self, folder: Path) -> ReferenceAdapter:
        """Read what `write` wrote into this adapter, which is returned."""
        from transformers import CLIPVisionModelWithProjection

        encoder = CLIPVisionModelWithProjection.from_pretrained(
            folder / "image_encoder", local_files_only=True, dtype=torch.float32
        )
        self.image_encoder.load_state_dict(encoder.state_dict())
        weights = {name: value.float() for name, value in load_file(folder / WEIGHTS).items()}
        for name, value in self._named():
            value.copy_(weights[name][: len(value)])
            # Of two weights in one, the second comes after the first.
            weights[name] = weights[name][len(value) :]
        return self

    def _named(self) -> list[tuple[str, Tensor]]:
        """The resampler's and the attention's weights under the names of IP-Adapter's files.

        Its files have keys and values of the resampler in one: two weights with one name, in that order.
        """
        named = []
        for name, value in self.projection.state_dict().items():
            for ours, theirs in _NAMES:
                name = name.replace(ours, theirs)
            named.append((f"image_proj.{name}", value))
        processors: list[Any] = list(self.attention)
        for number, processor in enumerate(processors):
            # Attentions to the captions have the odd numbers, those to the picture itself the even ones.
            place = f"ip_adapter.{2 * number + 1}"
            named.append((f"{place}.to_k_ip.weight", processor.to_k_ip[0].weight))
            named.append((f"{place}.to_v_ip.weight", processor.to_v_ip[0].weight))
        return named


def make_image_encoder() -> Any:
    """A CLIPVisionModelWithProjection with fresh weights."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        image_size=SIZE,
        patch_size=PATCH,
        # Two products and a softmax: the fused attention has a slow gradient in bfloat16 on a CPU.
        attn_implementation="eager",
    )
    return CLIPVisionModelWithProjection(config)


def sample_references(corpus: Corpus, numbers: Tensor, rng: torch.Generator) -> Tensor:
    """Sample other views of each picture's appearance, as many for all, as the image encoder sees them.

    Returns:
        (B, n, 3, 32, 32), n from 1 to `MOST`; a part is softened, as photos are that were made smaller.
    """
    count = int(torch.randint(1, MOST + 1, (1,), generator=rng))
    order = torch.rand(len(numbers), MOST, generator=rng).argsort(dim=1)[:, :count]
    chosen = corpus.others(numbers).gather(1, order)
    return softened(encoder_pixels(corpus, chosen.flatten()), rng).unflatten(0, chosen.shape)


def encoder_pixels(corpus: Corpus, numbers: Tensor) -> Tensor:
    """Pictures normalised for the image encoder: (n, 3, 32, 32)."""
    return corpus.normalised(numbers, CLIP_VIEW.mean, CLIP_VIEW.std)


def sample_kept(count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sample whose captions and whose references are kept: (count,) bool each."""
    share = torch.rand(count, generator=rng)
    without_references = share < NEITHER + NO_REFERENCES
    without_caption = (share < NEITHER) | (share >= 1 - NO_CAPTION)
    return ~without_caption, ~without_references


def _crosses(name: str) -> bool:
    return name.endswith("attn2.processor")


def _attention(unet: Any) -> list[Any]:
    from diffusers.models.attention_processor import IPAdapterAttnProcessor

    crossings = [
        unet.get_submodule(name.removesuffix(".processor")) for name in unet.attn_processors if _crosses(name)
    ]
    return [
        IPAdapterAttnProcessor(crossing.inner_dim, crossing.cross_attention_dim, num_tokens=(TOKENS,))
        for crossing in crossings
    ]


# Names of the resampler's weights here and in IP-Adapter's files.
_NAMES = (
    (".ln0.", ".0.norm1."),
    (".ln1.", ".0.norm2."),
    (".attn.to_out.0.", ".0.to_out."),
    (".attn.to_k.", ".0.to_kv."),
    (".attn.to_v.", ".0.to_kv."),
    (".attn.", ".0."),
    (".ff.0.", ".1.0."),
    (".ff.1.net.0.proj.", ".1.1."),
    (".ff.1.net.2.", ".1.3."),
)
