"""A file of version 1 printed as version 2 means the same, and keeps its comments."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.domain.rules.converting import as_version_2
from bridge.domain.rules.file import read_rules_text
from bridge.domain.rules.model import Rules

FILES = [
    "",
    "# only a comment",
    "version = 1\n[write]\ninternal = true\n",
    "version = 1 # one\n\n[conversation]\nassign_agent = true # yes\ntags = ['x']\n",
    "[conversation]\ntags = ['x']\nassign_agent = true",
    "[conversation]\nassign_agent = false\n",
    "conversation.assign_agent = true\nwrite.short = true\n",
    "conversation = { assign_agent = true }",
    "conversation = { assign_agent = true, call_tags = true }\n[write]\nshort = true\n",
    "conversation = { call_tags = true , assign_agent = true }\n",
    "conversation = { call_tags = true, assign_agent = true, tags = [] }\n",
    '[conversation]\n"assign_agent" = true\nstatus.missed = "done"\n',
    "[recording]\nlink_days = 2.5\ndo_not_record = ['+15550100101']\n[webhook_keys]\ncall_id = ['Nr']\n",
]


def meaning(text: str) -> Rules:
    made = read_rules_text(text)
    assert made.wrong == (), (text, made.wrong)
    return replace(made.rules, version="")


@pytest.mark.parametrize("text", FILES)
def test_a_converted_file_means_the_same(text: str) -> None:
    converted = as_version_2(text)

    assert read_rules_text(converted).version == 2
    assert meaning(converted) == meaning(text)


def test_comments_and_order_stay() -> None:
    text = "# ours\n\n[conversation] # talks\nassign_agent = true # to Bo\n# last\ntags = ['x'] # y\n"

    assert as_version_2(text) == (
        "version = 2\n# ours\n\n[conversation] # talks\n# to Bo\n# last\ntags = ['x'] # y\n"
        '\n[agents]\nassign = "longest"\n'
    )


def test_a_file_of_version_2_stays_as_it_is() -> None:
    assert as_version_2("version = 2\n[agents]\n") == "version = 2\n[agents]\n"
