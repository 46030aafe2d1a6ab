"""Airflow's masker of secrets, wherever a release line keeps it."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from airflow_provider_omni.hooks import masker


def with_masker(name: str, found: list[str]) -> ModuleType:
    module = ModuleType(name)
    module.mask_secret = found.append  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize("place", range(len(masker.PLACES)))
def test_the_first_place_that_has_it_counts(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    hidden: list[str] = []
    for index, name in enumerate(masker.PLACES):
        # An older common-compat is there, and has no such name.
        monkeypatch.setitem(sys.modules, name, with_masker(name, hidden) if index >= place else ModuleType(name))
    masker.mask_secret("secret")
    assert hidden == ["secret"]


def test_an_airflow_without_a_masker_reads_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in masker.PLACES:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="mask_secret"):
        masker.mask_secret("secret")
