"""The images of a run: read from the channels, and checked against the plan before they are scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, LIMITS
from proxytune.contract.plan_file import has_teacher, proxies_of
from proxytune.contract.types.plan import Plan
from proxytune.images import dataset
from proxytune.images import shard as shards
from proxytune.images.curated import CuratedProxies, read_curated_proxies
from proxytune.metrics.pictures import Picture, references
from proxytune.metrics.prompts import plain_prompts
from proxytune.metrics.scores import evenly


def collect(folders: Folders, plan: Plan, curated: CuratedProxies | None = None) -> list[Picture]:
    """Collect the images to score: all references, all samples, and up to `LIMITS.scored_proxies` proxies.

    A run without a teacher has its student's samples only, and no proxies.

    Args:
        curated: the proxies of a run with a curation, of which only the kept ones are scored; otherwise None.

    Raises:
        ProxytuneError: ChannelMissing, ShardInvalid (samples that are incomplete or not of this plan),
            ProxiesIncomplete.
    """
    taught = (
        [
            *proxies(folders.channel(CHANNELS.proxies), plan, curated),
            *samples(folders.channel(CHANNELS.samples_teacher), plan, "teacher"),
        ]
        if has_teacher(plan)
        else []
    )
    return [
        *references(folders.channel(CHANNELS.references)),
        *taught,
        *samples(folders.channel(CHANNELS.samples_student), plan, "student"),
    ]


def curated_proxies(folders: Folders, plan: Plan) -> CuratedProxies | None:
    """Read the kept and dropped proxies; None where the plan has no curation.

    Raises:
        ProxytuneError: ChannelMissing, ProxiesIncomplete, ShardInvalid.
    """
    if plan.get("curation") is None:
        return None
    return read_curated_proxies(folders.channel(CHANNELS.proxies), folders.channel(CHANNELS.curation))


def proxies(channel: Path, plan: Plan, curated: CuratedProxies | None) -> list[Picture]:
    """Select up to LIMITS.scored_proxies of the proxies, each with its prompt.

    Raises:
        ProxytuneError: ProxiesIncomplete, ShardInvalid.
    """
    plain = plain_prompts(plan)
    available = dataset.read_proxies(channel, proxies_of(plan)) if curated is None else curated.kept
    selected = [available[position] for position in evenly(len(available), LIMITS.scored_proxies)]
    return [_with_prompt("proxies", picture, plain) for picture in selected]


def samples(channel: Path, plan: Plan, role: str) -> list[Picture]:
    """Read the samples of a model, tuned and untuned: rows `<role>` and `<role>-base`.

    Args:
        channel: has the shards.
        plan: of the run.
        role: teacher or student.

    Raises:
        ProxytuneError: ShardInvalid when some are missing, or belong to another stage or plan.
    """
    plain = {entry["prompt"]: entry["plain"] for entry in plan["prompts"]["evaluation"]}
    stored = dataset.read_all(channel)
    foreign = sorted({picture.record.stage for picture in stored} - {f"sample-{role}"})
    if foreign:
        raise _samples_invalid(role, f"they are of stage {', '.join(foreign)}", f"stage sample-{role} only")
    rows = {"tuned": role, "base": f"{role}-base"}
    pictures = [_with_prompt(rows[picture.record.variant], picture, plain) for picture in stored]
    copies = plan["samples"]["picturesPerPrompt"]
    counts = Counter((picture.row, picture.prompt) for picture in pictures)
    for row in rows.values():
        for prompt in plain:
            if counts[row, prompt] != copies:
                raise _samples_invalid(
                    role,
                    f"{counts[row, prompt]} images of row {row} for the prompt '{prompt}'",
                    f"{copies} images of every evaluation prompt, tuned and untuned",
                )
    return pictures


def _with_prompt(row: str, picture: shards.Picture, plain: Mapping[str, str]) -> Picture:
    record = picture.record
    if record.prompt not in plain:
        raise shards.invalid(
            picture.shard,
            f"its image {record.index} has the prompt '{record.prompt}', which is not in the plan",
        )
    return Picture(row, record.index, record.prompt, plain[record.prompt], record.seed, picture.png)


def _samples_invalid(role: str, given: str, allowed: str) -> ProxytuneError:
    return ProxytuneError(
        "ShardInvalid",
        what=f"The samples of the {role} do not match the plan",
        given=given,
        allowed=allowed,
        remedy=f"run the stage sample-{role} again",
    )
