"""The prompts of proxies as CLIP-T compares them: without the token word."""

from __future__ import annotations

from proxytune.contract.types.plan import Plan


def plain_prompts(plan: Plan) -> dict[str, str]:
    """Every prompt that a proxy of the plan may have been drawn from -> the same without the token word."""
    prompt = plan["prompts"]["proxy"]
    plain = {prompt: without(plan["tokenWord"], prompt)}
    return plain | {entry["prompt"]: entry["plain"] for entry in plan["prompts"]["inContext"]}


def without(word: str, prompt: str) -> str:
    """The prompt without the token word: `a ohwx dog` -> `a dog`."""
    return " ".join(part for part in prompt.split() if part != word)
