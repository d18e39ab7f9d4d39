"""The LlamaGen student: a text-conditional GPT over VQ-16 tokens, official in key names and numbers.

The parts that other packages use, all importable from here:

    LlamaGenConfig(dim=, n_layer=, n_head=, ...)      frozen dataclass; official names; to_dict, from_dict
    LlamaGen(config)                                  nn.Module, official state-dict keys
        .forward(tokens, caption, caption_mask=None, drop_caption=None) -> logits (B, T + 1, vocab)
            tokens (B, T) int64, T < block_size; caption (B, n, caption_dim), n <= cls_token_num, left padded;
            caption_mask (B, n), 1 for a valid slot, None when all are valid (fastest: plain causal).
        .loss(tokens, caption, caption_mask=None, drop_caption=None, valid=None) -> scalar, mean cross-entropy
            tokens (B, block_size); drop_caption (B,) bool puts the null caption there, None samples it
            with class_dropout_prob in train mode and drops nothing in eval mode; valid (B,) weighs rows.
        .lora_targets                                 ("wqkv", "wo", "w1", "w2", "w3") for peft's LoraConfig
    trim_caption(features, mask) -> (features, mask|None)
            drops the slots that are padding in every row; exact. Call it once, before the training loop.
    VQConfig(...), VQTokenizer(config)                the VQ-16 image tokenizer; widths configurable
        .encode(images (B, 3, H, W) in [-1, 1]) -> tokens (B, H/16 * W/16) int64
        .decode(tokens (B, h*w), grid=None) -> images (B, 3, 16h, 16w), about [-1, 1], not clamped
        .stride                                       16 for five levels: 2 ** (levels - 1)
    clean_for_model(text) -> str                      a caption as the official text pipeline cleans it
    CaptionEncoder(text_encoder, tokenizer, max_length=120)
        .encode(captions) -> (features (B, max_length, dim) float32, mask (B, max_length)); cleaned
    sample_tokens(model, caption_features, mask, seeds, *, guidance=7.5, temperature=1.0, top_k=1000,
                  top_p=1.0, rows=None) -> tokens (len(seeds), block_size) int64
            one seed per image; features may hold one row for all or one row each; temperature 0 is greedy.
    Student(gpt, vq, captions, image_size)            all parts of a model folder
    load_student(folder, *, image_size=None, dtype=float32, text_dtype=None, device="cpu", captions=True)
            -> Student, everything in eval mode; raises ProxytuneError ModelMismatch
    save_student(folder, student)

A model folder: config.json, gpt.safetensors, vq.safetensors, text_encoder/, tokenizer/ (as transformers').
Images are [-1, 1] float tensors in this package; PNG and PIL belong to trainer and generator.
`LlamaGen` also works wrapped by peft: get_peft_model(gpt, LoraConfig(target_modules=list(gpt.lora_targets)))
keeps `.loss` reachable, and sample_tokens takes the wrapped model.
"""

from proxytune.student.families.llamagen.caption_cleaning import clean_for_model
from proxytune.student.families.llamagen.captions import CaptionEncoder
from proxytune.student.families.llamagen.checkpoint import Student, load_student, save_student
from proxytune.student.families.llamagen.config import LlamaGenConfig, VQConfig
from proxytune.student.families.llamagen.sampling import sample_tokens
from proxytune.student.families.llamagen.transformer import LlamaGen, trim_caption
from proxytune.student.families.llamagen.vq import VQTokenizer

__all__ = [
    "CaptionEncoder",
    "LlamaGen",
    "LlamaGenConfig",
    "Student",
    "VQConfig",
    "VQTokenizer",
    "clean_for_model",
    "load_student",
    "sample_tokens",
    "save_student",
    "trim_caption",
]
