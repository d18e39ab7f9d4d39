"""The pictures of a run, gathered from the channels and checked against the plan before the scoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from proxytune.contract.errors import ProxytuneError
from proxytune.contract.folders import Folders
from proxytune.contract.names import CHANNELS, LIMITS
from proxytune.contract.types.plan import Plan
from proxytune.images import dataset
from proxytune.images import shard as shards
from proxytune.images.kept import Judged, read_judged
from proxytune.metrics.pictures import Picture, references
from proxytune.metrics.prompts import plain_prompts
from proxytune.metrics.scores import evenly


def collect(folders: Folders, plan: Plan, judged: Judged | None = None) -> list[Picture]:
    """Every picture that is scored: all references, all samples, and `LIMITS.scored_proxies` proxies at most.

    Args:
        judged: the proxies of a run with a curation, of which only those that are kept are scored; None for a
            run without.

    Raises:
        ProxytuneError: ChannelMissing, ShardInvalid (samples that are incomplete or not of this plan),
            ProxiesIncomplete.
    """
    return [
        *references(folders.channel(CHANNELS.references)),
        *proxies(folders.channel(CHANNELS.proxies), plan, judged),
        *samples(folders.channel(CHANNELS.samples_teacher), plan, "teacher"),
        *samples(folders.channel(CHANNELS.samples_student), plan, "student"),
    ]


def judged_proxies(folders: Folders, plan: Plan) -> Judged | None:
    """The proxies by their verdict; None where the plan asks for no curation.

    Raises:
        ProxytuneError: ChannelMissing, ProxiesIncomplete, ShardInvalid.
    """
    if plan.get("curation") is None:
        return None
    return read_judged(folders.channel(CHANNELS.proxies), folders.channel(CHANNELS.curation))


def proxies(channel: Path, plan: Plan, judged: Judged | None) -> list[Picture]:
    """At most LIMITS.scored_proxies of the proxies, with the prompt that each was drawn from.

    Raises:
        ProxytuneError: ProxiesIncomplete, ShardInvalid.
    """
    plain = plain_prompts(plan)
    found = dataset.read_proxies(channel, plan["proxies"]) if judged is None else judged.kept
    return [_drawn("proxies", found[place], plain) for place in evenly(len(found), LIMITS.scored_proxies)]


def samples(channel: Path, plan: Plan, role: str) -> list[Picture]:
    """The samples of a model, tuned and untuned: rows `<role>` and `<role>-base`.

    Args:
        channel: holds the shards.
        plan: of the run.
        role: teacher or student.

    Raises:
        ProxytuneError: ShardInvalid when some are missing, or belong to another stage or plan.
    """
    plain = {entry["prompt"]: entry["plain"] for entry in plan["prompts"]["evaluation"]}
    found = dataset.read_all(channel)
    foreign = sorted({picture.record.stage for picture in found} - {f"sample-{role}"})
    if foreign:
        raise _samples_invalid(role, f"they are of stage {', '.join(foreign)}", f"stage sample-{role} only")
    rows = {"tuned": role, "base": f"{role}-base"}
    pictures = [_drawn(rows[picture.record.variant], picture, plain) for picture in found]
    copies = plan["samples"]["picturesPerPrompt"]
    counts = Counter((picture.row, picture.prompt) for picture in pictures)
    for row in rows.values():
        for prompt in plain:
            if counts[row, prompt] != copies:
                raise _samples_invalid(
                    role,
                    f"{counts[row, prompt]} pictures of row {row} for the prompt '{prompt}'",
                    f"{copies} pictures of every evaluation prompt, tuned and untuned",
                )
    return pictures


def _drawn(row: str, picture: shards.Picture, plain: Mapping[str, str]) -> Picture:
    record = picture.record
    if record.prompt not in plain:
        raise shards.invalid(
            picture.shard,
            f"its picture {record.index} has the prompt '{record.prompt}', which is not in the plan",
        )
    return Picture(row, record.index, record.prompt, plain[record.prompt], record.seed, picture.png)


def _samples_invalid(role: str, given: str, allowed: str) -> ProxytuneError:
    return ProxytuneError(
        "ShardInvalid",
        what=f"The samples of the {role} are not those of the plan",
        given=given,
        allowed=allowed,
        remedy=f"run the stage sample-{role} again",
    )
