"""The gallery's texts are what the bridge writes."""

from __future__ import annotations

import pytest
import redis

from tests.gallery.page import section, whole
from tests.gallery.scenes import SCENES, Scene
from tests.web.tour import ROOT

GALLERY = ROOT / "deploy" / "gallery.md"


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_the_gallery_shows_what_is_written(redis_client: redis.Redis, scene: Scene) -> None:
    assert section(redis_client, scene) in GALLERY.read_text("utf-8"), "run python -m tests.gallery"


def test_the_gallery_has_the_rules_and_every_picture() -> None:
    text = GALLERY.read_text("utf-8")

    assert text.startswith(whole([])), "run python -m tests.gallery"
    for scene in SCENES:
        assert (GALLERY.parent / "screenshots" / f"gallery-{scene.name}.png").exists()
