"""The subjects, by name and by what they may be used for. None of them is in the pretraining's pictures."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from proxytune.drawn_world.appearance import Appearance, sample_appearance
from proxytune.drawn_world.render import Picture, render
from proxytune.drawn_world.scene import sample_pose

Use = Literal["demo", "tuning", "held-back"]
# References of a subject; DreamBooth (Ruiz et al. 2023) uses 3 to 5.
REFERENCES = 5


@dataclass(frozen=True)
class Subject:
    """One object, of which a user would have photos.

    Attributes:
        name: its folder.
        use: `demo` is shown; on `tuning` settings are chosen; on `held-back` nothing is ever chosen, so that
            results there hold for subjects that nobody has seen.
        category, pattern: fixed, so that the subjects differ; the rest is random, seeded by the name.
        contexts: the only ones that its references show.
    """

    name: str
    use: Use
    category: str
    pattern: str
    contexts: tuple[str, ...]

    @property
    def appearance(self) -> Appearance:
        """Its looks, as the name determines them."""
        return sample_appearance(Random(f"subject {self.name}"), self.category, self.pattern)

    def references(self, count: int = REFERENCES) -> list[Picture]:
        """Pictures of it in its own contexts, in turn."""
        rng = Random(f"references {self.name}")
        contexts = [self.contexts[number % len(self.contexts)] for number in range(count)]
        return [render(self.appearance, sample_pose(rng, context)) for context in contexts]

    def unseen(self, context: str, count: int) -> list[Picture]:
        """Render it in any context, other than the references: what a perfect model would generate."""
        rng = Random(f"unseen {self.name} {context}")
        return [render(self.appearance, sample_pose(rng, context)) for _ in range(count)]


SUBJECTS: tuple[Subject, ...] = (
    Subject("demo-car", "demo", "car", "halves", ("on a green lawn", "on a wooden table")),
    Subject("tuning-bear", "tuning", "bear", "spot", ("on a sandy beach", "at night")),
    Subject("tuning-mug", "tuning", "mug", "bands", ("on a wooden table", "at sunset")),
    Subject("tuning-fish", "tuning", "fish", "stripes", ("in deep snow", "on a green lawn")),
    Subject("held-back-fish", "held-back", "fish", "plain", ("on a green lawn", "at sunset")),
    Subject("held-back-house", "held-back", "house", "stripes", ("on a sandy beach", "in deep snow")),
    Subject("held-back-bear", "held-back", "bear", "halves", ("on a wooden table", "at night")),
    Subject("held-back-robot", "held-back", "robot", "spot", ("at sunset", "on a sandy beach")),
    Subject("held-back-mug", "held-back", "mug", "bands", ("in deep snow", "on a wooden table")),
)


def subject_named(name: str) -> Subject:
    """Return the subject of this name.

    Raises:
        ValueError: there is none.
    """
    for subject in SUBJECTS:
        if subject.name == name:
            return subject
    known = ", ".join(subject.name for subject in SUBJECTS)
    raise ValueError(f"{name!r} given, which is not a subject of the miniature; allowed: {known}")


def subjects_for(use: Use) -> list[Subject]:
    """All subjects of one use."""
    return [subject for subject in SUBJECTS if subject.use == use]
