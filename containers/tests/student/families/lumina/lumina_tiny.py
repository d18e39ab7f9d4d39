"""A Lumina at the smallest size at which everything still happens: grouped heads, scrambled ids, rows."""

import torch

from proxytune.student.families.lumina.layout import Layout
from proxytune.student.families.lumina.transformer import Lumina, chameleon_config
from proxytune.student.families.lumina.vocabulary import Vocabulary

CODES, FIRST_CODE = 40, 30
# Codes are scattered over their ids: who takes id minus first id for the code gets another picture.
VOCABULARY = Vocabulary(
    begin=0,
    separator=80,
    start=71,
    end=70,
    row_end=81,
    grids=tuple(range(82, 90)),
    codes=tuple(FIRST_CODE + (7 * code + 3) % CODES for code in range(CODES)),
)
LAYOUT = Layout(VOCABULARY, stride=16)
SIZES = {
    "vocab_size": 90,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "dropout": 0.0,
    "z_loss_weight": 0.01,
    "vocabulary_map": VOCABULARY.names(),
}


def tiny_lumina(seed: int = 3, **changes) -> Lumina:
    """In eval mode, every weight random: the norms too, so that forgetting one shows."""
    model = Lumina(chameleon_config({**SIZES, **changes})).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("norm.weight"):
                tensor.copy_(1 + 0.2 * noise)
            else:
                tensor.copy_(noise * (1.0 if "lm_head" in name else 0.3))
    return model
