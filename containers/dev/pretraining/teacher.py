"""The teacher: SDXL's U-Net, both text encoders and the adapter for references, trained together on latents.

Captions, size numbers and the noise schedule reach the U-Net exactly as `proxytune.teacher` sends them, so
that an adapter is trained on the very function that was pretrained.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from dev.pretraining.autoencoding import squared
from dev.pretraining.corpus import Corpus
from dev.pretraining.references import ReferenceAdapter, encoder_pixels, sample_kept, sample_references
from dev.pretraining.texts import Captions
from dev.pretraining.tokenizers import CLIP_SLOTS, clip_word_tokenizer, domain_words
from dev.pretraining.vae import CHANNELS, STRIDE
from proxytune.drawn_world.render import SIZE

# Widths of the two text encoders; the U-Net reads them side by side.
TEXT_WIDTHS = (64, 64)
# Share of pictures learnt without a caption, for guidance.
DROPPED = 0.1
# Original sizes that half of the pictures have for SDXL's U-Net, at random, so that they mean little.
PHOTO_SIDES = (256, 1025)
EVALUATED = 512


def make_tokenizers() -> tuple[Any, Any]:
    """SDXL's two: the first pads with the end token, the second with `!`."""
    return clip_word_tokenizer(domain_words()), clip_word_tokenizer(domain_words(), pad="!")


def make_schedule() -> Any:
    """The scheduler that generates: deterministic DDIM over a cosine schedule of velocities."""
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        # Latents have deviation 1; the VAE was shown nothing beyond 4.
        clip_sample=True,
        clip_sample_range=4.0,
    )


def make_unet() -> Any:
    """A U-Net with SDXL's conditioning and fresh weights."""
    from diffusers.models.attention_processor import AttnProcessor
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    widths = (96, 192)
    unet = UNet2DConditionModel(
        sample_size=SIZE // STRIDE,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        block_out_channels=widths,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        layers_per_block=1,
        transformer_layers_per_block=1,
        # The number of heads, in spite of its name, as in SDXL: of about 32 channels each.
        attention_head_dim=tuple(width // 32 for width in widths),
        norm_num_groups=16,
        use_linear_projection=True,
        cross_attention_dim=sum(TEXT_WIDTHS),
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        # Six size numbers of eight values each, next to the pooled text.
        projection_class_embeddings_input_dim=6 * 8 + TEXT_WIDTHS[1],
    ).to(memory_format=torch.channels_last)
    # Two products and a softmax: the fused attention has a slow gradient in bfloat16 on a CPU.
    unet.set_attn_processor(AttnProcessor())
    return unet


def make_text_encoder(tokenizer: Any, width: int, *, projection: bool) -> Any:
    """A CLIP text encoder. The U-Net reads the last layer but one, the pooled vector comes from the last."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=3 if projection else 2,
        num_attention_heads=4,
        max_position_embeddings=CLIP_SLOTS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModelWithProjection(config) if projection else CLIPTextModel(config)


@dataclass(frozen=True)
class _Batch:
    """Inputs and target of the U-Net, for B pictures.

    Attributes:
        latents, noise: (B, C, 8, 8).
        timesteps: (B,).
        captions: (B,) numbers of captions.
        captioned: (B,) bool; the others are generated without a caption.
        sizes: (B, 6), SDXL's numbers.
        references: (B, n, 3, 32, 32) for the image encoder, zeros for none; or no references at all.
    """

    latents: Tensor
    noise: Tensor
    timesteps: Tensor
    captions: Tensor
    captioned: Tensor
    sizes: Tensor
    references: Tensor | None = None


class TeacherTrainable:
    """A `loop.Trainable`.

    Args:
        latents: (N, 2, 8, 8, 8) float16, means and deviations of the corpus, standardised for the U-Net.
    """

    def __init__(self, corpus: Corpus, latents: Tensor, captions: Captions, batch: int) -> None:
        from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

        tokenizers = make_tokenizers()
        unet = make_unet()
        self.module: nn.Module = nn.ModuleDict(
            {
                "unet": unet,
                "text_encoder": make_text_encoder(tokenizers[0], TEXT_WIDTHS[0], projection=False),
                "text_encoder_2": make_text_encoder(tokenizers[1], TEXT_WIDTHS[1], projection=True),
                "references": ReferenceAdapter(unet),
            }
        )
        self._corpus, self._latents, self._captions, self._batch = corpus, latents, captions, batch
        self._ids = [torch.tensor(_padded(tokenizer, captions.texts)) for tokenizer in tokenizers]
        # As proxytune.teacher.families.sdxl makes its training schedule from a folder's sampler.
        self._schedule = DDPMScheduler.from_config(make_schedule().config)

    def loss(self, step: int, rng: torch.Generator) -> Tensor:
        """Squared error of the velocity; half of the timesteps uniform, half near the middle.

        Every second step has references. The others leave the adapter out, as a teacher without one does.
        """
        numbers = self._corpus.sample(self._batch, rng)
        mean, deviation = self._latents[numbers].float().unbind(dim=1)
        middling = torch.sigmoid(torch.randn(self._batch, generator=rng))
        share = torch.where(
            torch.rand(self._batch, generator=rng) < 0.5, middling, torch.rand(self._batch, generator=rng)
        )
        captioned, references = torch.rand(self._batch, generator=rng) >= DROPPED, None
        if step % 2:
            captioned, referenced = sample_kept(self._batch, rng)
            references = sample_references(self._corpus, numbers, rng) * referenced.view(-1, 1, 1, 1, 1)
        batch = _Batch(
            latents=mean + deviation * torch.randn(mean.shape, generator=rng),
            noise=torch.randn(mean.shape, generator=rng),
            timesteps=(share * self._schedule.config.num_train_timesteps).long().clamp(max=999),
            captions=self._captions.sample(self._corpus, numbers, rng),
            captioned=captioned,
            sizes=_sizes(self._batch, rng),
            references=references,
        )
        return self._error(self.module, batch)

    def evaluate(self, module: nn.Module) -> dict[str, float]:
        """The same error on held-out pictures at evenly spread timesteps, with fixed noise.

        Returns:
            `velocity_error`, and the same with all other views of the appearance as references.
        """
        numbers = self._corpus.held_out[:EVALUATED]
        noise = torch.randn((len(numbers), CHANNELS, 8, 8), generator=torch.Generator().manual_seed(1))
        # Spread over the whole set: the pictures of a part alone would share their part of the timesteps.
        timesteps = ((torch.arange(len(numbers)) + 0.5) / len(numbers) * 1000).long()
        captions = self._captions.full(self._corpus, numbers)
        errors = {"velocity_error": 0.0, "velocity_error_with_references": 0.0}
        for part in torch.arange(len(numbers)).split(64):
            batch = _Batch(
                self._latents[numbers[part], 0].float(),
                noise[part],
                timesteps[part],
                captions[part],
                torch.ones(len(part), dtype=torch.bool),
                torch.tensor([[SIZE, SIZE, 0, 0, SIZE, SIZE]] * len(part)).float(),
            )
            others = self._corpus.others(numbers[part])
            pixels = encoder_pixels(self._corpus, others.flatten()).unflatten(0, others.shape)
            for name, references in zip(errors, (None, pixels), strict=True):
                error = self._error(module, replace(batch, references=references))
                errors[name] += float(error) * len(part) / len(numbers)
        return errors

    def _error(self, module: Any, batch: _Batch) -> Tensor:
        states, pooled = encode_ids(module, [ids[batch.captions] for ids in self._ids])
        noisy = self._schedule.add_noise(batch.latents, batch.noise, batch.timesteps)
        # Zeros stand for no caption, as SDXL's force_zeros_for_empty_prompt generates.
        read: Any = states * batch.captioned[:, None, None]
        unet, adapter = module["unet"], module["references"]
        if batch.references is not None:
            adapter.attach(unet)
            read = (read, [adapter.tokens(batch.references)])
        answer = unet(
            noisy.contiguous(memory_format=torch.channels_last),
            batch.timesteps,
            encoder_hidden_states=read,
            added_cond_kwargs={"text_embeds": pooled * batch.captioned[:, None], "time_ids": batch.sizes},
            return_dict=False,
        )[0]
        if batch.references is not None:
            adapter.detach(unet)
        return squared(answer, self._schedule.get_velocity(batch.latents, batch.noise, batch.timesteps))


def encode_ids(module: Any, ids: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Compute SDXL's prompt embeddings for a batch of ids, with gradient."""
    states, pooled = [], torch.empty(0)
    for name, rows in zip(("text_encoder", "text_encoder_2"), ids, strict=True):
        answer = module[name](rows, output_hidden_states=True)
        states.append(answer.hidden_states[-2])
        pooled = answer[0]
    return torch.cat(states, dim=-1), pooled


def _padded(tokenizer: Any, texts: tuple[str, ...]) -> list[list[int]]:
    ids: list[list[int]] = tokenizer(list(texts), padding="max_length", truncation=True).input_ids
    return ids


def _sizes(count: int, rng: torch.Generator) -> Tensor:
    """SDXL's six numbers: half of the pictures as drawn, half as if they were crops of a user's photos."""
    photo = torch.randint(*PHOTO_SIDES, (count, 2), generator=rng).float()
    corner = torch.randint(SIZE // 2, (count, 2), generator=rng).float()
    own = torch.rand(count, 1, generator=rng) < 0.5
    target = torch.full((count, 2), float(SIZE))
    return torch.cat([torch.where(own, target, photo), torch.where(own, 0.0, corner), target], dim=1)
