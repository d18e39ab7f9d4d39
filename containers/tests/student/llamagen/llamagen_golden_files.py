"""Golden files of other configurations, written by our own models."""

import json

import torch
from safetensors.torch import save_file

from proxytune.golden import one_thread
from proxytune.golden.formula import fill
from proxytune.golden.llamagen_gpt import golden_gpt
from proxytune.golden.llamagen_vq16 import golden_vq
from proxytune.student.llamagen import VQConfig, sample_tokens
from proxytune.student.llamagen.sampling import first_step_probabilities


@one_thread()
def write_gpt_file(path, **changes):
    config = {
        "dim": 32,
        "n_layer": 2,
        "n_head": 4,
        "vocab_size": 50,
        "caption_dim": 16,
        "multiple_of": 16,
        **changes,
    }
    model = golden_gpt(config)
    mask = (torch.arange(120) >= 120 - torch.tensor([[1], [9]])).float()
    cond = fill("cond", (2, 120, 16), 0.7) * mask[:, :, None]
    length = config["block_size"]
    tokens = torch.arange(2 * length).view(2, length) * 7 % 50
    loss = model.train().loss(tokens, cond, mask)
    loss.backward()
    with torch.no_grad():
        logits = model(tokens[:, :-1], cond, mask)
    greedy = sample_tokens(model, cond, mask, [0, 0], guidance=3.0, temperature=0, trim=False)
    probabilities = first_step_probabilities(model, cond, mask, temperature=1.1, top_k=0, top_p=0.8)
    norms = {name: float(parameter.grad.norm()) for name, parameter in model.named_parameters()}
    path.write_text(json.dumps({"new": {"config": config, "loss": loss.item(), "grad_norms": norms}}))
    tensors = {
        "cond": cond,
        "cond_mask": mask,
        "tokens": tokens.int(),
        "train_logits": logits.contiguous(),
        "greedy_cfg3.0": greedy.int(),
        "first_step_probs_t1.1_k0_p0.8": probabilities,
    }
    save_file({f"new.{name}": tensor for name, tensor in tensors.items()}, path.with_suffix(".safetensors"))
    return path


@one_thread()
def write_vq_file(path, sizes):
    config = {"codebook_size": 48, "codebook_embed_dim": 4, "z_channels": 8, "ch": 32, "num_res_blocks": 1}
    model = golden_vq(VQConfig.from_dict({**config, "ch_mult": [1, 2, 2, 1]}))
    tensors = {}
    for tag, (height, width) in sizes.items():
        image = fill("image" + tag, (2, 3, height, width), 0.9)
        ids = model.encode(image)
        tensors[f"{tag}.image"] = image
        tensors[f"{tag}.latent"] = model.latents(image).detach().contiguous()
        tensors[f"{tag}.ids"] = ids.int()
        tensors[f"{tag}.decoded"] = model.decode(ids, (height // 8, width // 8)).contiguous()
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    path.write_text(json.dumps({"parameters": shapes}))
    save_file(tensors, path.with_suffix(".safetensors"))
    return path
