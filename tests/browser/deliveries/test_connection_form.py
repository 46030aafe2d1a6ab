"""The form of a connection in Airflow's own pages, on both Airflows: what it shows, what it saves, what Test says."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, expect

from airflow_provider_omni.get_provider_info import get_provider_info
from airflow_provider_omni.omni.config import NEVER_NULL
from tests.browser.deliveries.airflow_pages import AirflowPages, Viewer

(CONNECTION_TYPE,) = get_provider_info()["connection-types"]
FIELDS: dict[str, dict[str, Any]] = CONNECTION_TYPE["conn-fields"]


@pytest.fixture
def form(admin: Viewer) -> Locator:
    """The form of a new connection of our type, with its extra fields open, as Airflow 3.1 and 3.3 show them."""
    admin.open("connections")
    admin.page.get_by_role("button", name="Add Connection").click()
    form = admin.page.get_by_role("dialog")
    kind = form.get_by_role("combobox").first
    kind.click()
    kind.fill("omni")
    admin.page.get_by_role("option", name=re.compile("omni", re.I)).first.click()
    form.get_by_text("Extra Fields", exact=True).first.click()
    form.get_by_text(FIELDS["auth_type"]["label"]).first.wait_for()
    return form


def test_each_field_shows_its_label_and_its_help_and_none_the_word_null(form: Locator) -> None:
    text = form.inner_text()
    for field in FIELDS.values():
        assert field["label"] in text
        assert field["description"] in text
    shown = form.locator("input, textarea").evaluate_all("all => all.map(one => one.value)")
    assert not [one for one in shown if re.search(r"null|none|undefined", one, re.I)]
    assert "Base URL of the account" in text


def test_what_an_empty_list_means_stands_at_both_lists(form: Locator) -> None:
    for name in NEVER_NULL:
        assert "[] no" in FIELDS[name]["description"]
        expect(form.get_by_text(FIELDS[name]["description"])).to_be_visible()


@pytest.mark.parametrize(("password", "sentence"), [("demo-password", "Signed in"), ("wrong", "Not signed in")])
def test_what_is_saved_with_untouched_extra_fields_is_read_and_test_says_a_sentence_in_a_corner(
    airflow: AirflowPages, admin: Viewer, form: Locator, password: str, sentence: str
) -> None:
    name = f"omni_{uuid.uuid4().hex[:8]}"
    address = urlsplit(airflow.stack.simulator.url)
    fields = {
        "connection_id": name,
        "host": address.hostname or "",
        "schema": "http",
        "port": str(address.port),
        "login": "demo",
        "password": password,
    }
    form.get_by_text("Standard Fields", exact=True).first.click()
    for field, value in fields.items():
        form.locator(f"[name={field}]").fill(value)
    form.get_by_role("button", name="Save").click()
    row = admin.page.locator("tr").filter(has_text=name)
    row.wait_for()
    row.get_by_role("button", name="Test Connection").click()

    said = admin.page.get_by_text(sentence)
    expect(said).to_be_visible()
    said.hover()
    admin.page.wait_for_timeout(6000)  # it would be gone after two or five seconds
    expect(said).to_be_visible()
    kept = json.loads(airflow.stack.api.call("GET", f"/connections/{name}")["extra"])
    assert (kept["allowed_recipients"], kept["allowed_countries"], kept["auth_type"]) == ("*", "*", "basic")
