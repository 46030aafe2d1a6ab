"""The page of deliveries beside a real send and its wait: it shows what the simulator has done and Airflow has kept."""

from __future__ import annotations

from collections import Counter

from playwright.sync_api import expect

from dev.airflow_stack import AirflowStack
from tests.browser.deliveries.airflow_pages import AirflowPages
from tests.harness.browser import running_browser

DAG_ID = "omni_line_sms"


def test_the_page_shows_what_the_simulator_and_airflow_know(stack: AirflowStack) -> None:
    run_id = stack.api.trigger(DAG_ID)
    assert stack.wait_for_run(DAG_ID, run_id) == "success", stack.describe_run(DAG_ID, run_id)
    summary = stack.api.xcom(DAG_ID, run_id, "delivered")
    mine = {
        message_id
        for bulk in stack.api.xcom(DAG_ID, run_id, "send")["bulks"]
        for message_id in bulk.get("message_ids", [bulk.get("message_id")])
    } | set(stack.api.xcom(DAG_ID, run_id, "send").get("message_ids", ()))
    deliveries = stack.simulator.record("deliveries")["deliveries"]
    reached = Counter(one["channel"] for one in deliveries if one["message_id"] in mine)

    with running_browser() as browser:
        pages = AirflowPages("3.3", stack, browser)
        with pages.viewer("admin", stack.login.password) as viewer:
            viewer.open()
            state, accepted, delivered, failed, pending, by, _ = viewer.cells(run_id)
            assert (state, accepted, delivered) == ("Delivered", "2", "2 100 %")
            assert (failed, pending) == (str(summary["failed"]), str(summary["pending"]))
            assert by == "LINE 50 % · SMS 50 %"
            viewer.row(run_id).get_by_role("link").click()
            for channel, number in reached.items():
                row = viewer.page.locator("details tbody tr").filter(has_text=channel)
                expect(row.locator("td").nth(1)).to_have_text(str(number), use_inner_text=False)
    assert reached == Counter(summary["by_channel"])
