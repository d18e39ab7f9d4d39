import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dev.drawn_subjects.export import PHOTO_SIDE, REQUEST, export_subject
from dev.drawn_subjects.subjects import SUBJECTS, subject_named, subjects_for
from proxytune.drawn_world.appearance import CATEGORIES, Appearance
from proxytune.drawn_world.colour import ciede2000, to_lab
from proxytune.drawn_world.render import SIZE
from proxytune.drawn_world.scene import CONTEXTS

TOOL = Path(__file__).parents[3] / "dev" / "tools" / "export_miniature_subjects.py"
# lib/core/photos/limits.ts: softSide, flatContrast, minSharpness, pictureDistance, minPhotos, maxPhotos.
SOFT_SIDE, FLAT, SHARP, SAME_PICTURE, FEWEST, MOST = 512, 2, 60, 6, 3, 30


def test_subjects_are_kept_apart_and_listed():
    assert len({subject.name for subject in SUBJECTS}) == len(SUBJECTS)
    assert [len(subjects_for(use)) for use in ("demo", "tuning", "held-back")] == [1, 3, 5]
    for subject in SUBJECTS:
        assert subject.category in CATEGORIES
        assert 2 <= len(set(subject.contexts)) <= 3
        assert set(subject.contexts) < set(CONTEXTS)
    with pytest.raises(ValueError, match=r"'nobody' given.*allowed: demo-car"):
        subject_named("nobody")


def sharpness(photo):
    """As the inspection measures it: the Laplacian's variance in the sharpest twentieth of the blocks."""
    grey = np.asarray(photo.convert("L"), dtype=float)
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    blocks = laplacian[:480, :480].reshape(15, 32, 15, 32).var(axis=(1, 3))
    return np.sort(blocks, axis=None)[-11:].mean()


def palette(subject):
    look = subject.appearance
    return to_lab([look.body, look.trim, look.body if look.pattern == "plain" else look.mark])


def test_subjects_of_one_category_differ_in_their_palette():
    for one, other in itertools.combinations(SUBJECTS, 2):
        if one.category == other.category:
            assert float(ciede2000(palette(one), palette(other)).max()) > 15, (one.name, other.name)


def test_references_show_the_subjects_contexts_and_unseen_pictures_are_others():
    for subject in SUBJECTS:
        references = subject.references()
        assert {picture.pose.context for picture in references} == set(subject.contexts)
        assert {picture.appearance for picture in references} == {subject.appearance}
        unseen = [picture for context in CONTEXTS for picture in subject.unseen(context, 2)]
        assert not {picture.pose for picture in unseen} & {picture.pose for picture in references}
        assert [picture.pose.context for picture in unseen[::2]] == list(CONTEXTS)


def hashable(value):
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_an_exported_folder_passes_inspection(subject, tmp_path):
    export_subject(subject, tmp_path, {"preset": "draft"})
    request = json.loads((tmp_path / "subject.json").read_text("utf-8"))
    ground_truth = Appearance(
        subject.category, **{name: hashable(value) for name, value in request["truth"].items()}
    )
    assert ground_truth == subject.appearance
    assert {**request, "truth": None} == {
        "category": subject.category,
        **REQUEST,
        "preset": "draft",
        "truth": None,
        "consent": True,
    }
    files = sorted((tmp_path / "photos").iterdir())
    assert FEWEST <= len(files) <= MOST
    photos = [Image.open(file) for file in files]
    for photo, picture in zip(photos, subject.references(), strict=True):
        assert photo.mode == "RGB"
        assert photo.size == (PHOTO_SIDE, PHOTO_SIDE)
        assert min(photo.size) >= SOFT_SIDE
        assert np.asarray(photo).std(axis=(0, 1)).max() > FLAT
        assert sharpness(photo) > SHARP
        # Training shrinks the photo back to the rendered picture, up to rounding.
        back = np.asarray(photo.resize((SIZE, SIZE), Image.Resampling.BOX))
        np.testing.assert_array_equal(back, picture.pixels)
    thumbnails = [np.asarray(photo.resize((32, 32)), dtype=float) for photo in photos]
    for one, other in itertools.combinations(thumbnails, 2):
        assert np.abs(one - other).mean() > SAME_PICTURE


def test_the_tool_writes_the_requested_subjects(tmp_path):
    command = [sys.executable, str(TOOL), "--out", str(tmp_path), "--only", "demo-car"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    assert [folder.name for folder in tmp_path.iterdir()] == ["demo-car"]
    assert len(list((tmp_path / "demo-car" / "photos").glob("*.png"))) == 5


def test_the_example_of_the_repository_is_the_demos_subject(tmp_path):
    (subject,) = subjects_for("demo")
    export_subject(subject, tmp_path)
    example = Path(__file__).parents[4] / "examples" / "miniature"
    requests = [json.loads((folder / "subject.json").read_text("utf-8")) for folder in (tmp_path, example)]
    # For editors; not read.
    requests[1].pop("$schema", None)
    assert requests[0] == requests[1]
    files = sorted((example / "photos").iterdir())
    assert [file.name for file in files] == sorted(file.name for file in (tmp_path / "photos").iterdir())
    for file in files:
        # Pixels, as another version of the library may pack the same ones otherwise.
        here, made = (np.asarray(Image.open(path)) for path in (file, tmp_path / "photos" / file.name))
        np.testing.assert_array_equal(here, made)
