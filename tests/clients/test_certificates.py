"""The certificates of the system are read once a process: each reading takes 55 ms, and 0.9 MB for good."""

from __future__ import annotations

import gc
import ssl

import pytest

from bridge.clients.http import certificates
from bridge.clients.media import MediaFetcher, NotFetched


def test_the_fetchers_of_all_accounts_trust_the_certificates_that_were_read_for_the_services() -> None:
    certificates()
    before = _contexts()
    fetchers = [MediaFetcher(), MediaFetcher()]

    for fetcher in fetchers:
        # An address from inside: it is not asked, but all is there that asking would need.
        with pytest.raises(NotFetched):
            fetcher.fetch("https://127.0.0.1/picture.png")

    assert _contexts() == before


def _contexts() -> set[int]:
    return {id(one) for one in gc.get_objects() if isinstance(one, ssl.SSLContext)}
