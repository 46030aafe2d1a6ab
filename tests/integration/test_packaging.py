"""The distribution that people install: the wheel's content, and what Airflow finds in it through the entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from importlib.metadata import entry_points
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "airflow_provider_omni"
EXAMPLE_DAGS = REPOSITORY / "example_dags"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the working tree without asking an index."""
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    (built,) = target.glob("*.whl")
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def installed(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages with the wheel in it: what installing a wheel of plain Python comes to."""
    folder = tmp_path_factory.mktemp("site-packages")
    wheel.extractall(folder)
    return folder


def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return message_from_bytes(wheel.read(name))


def test_wheel_holds_every_module_and_nothing_but_the_package(wheel: zipfile.ZipFile) -> None:
    files = {name for name in wheel.namelist() if ".dist-info/" not in name}

    modules = {str(module.relative_to(REPOSITORY)) for module in PACKAGE.rglob("*.py")}
    assert modules <= files
    assert {name.split("/")[0] for name in files} == {"airflow_provider_omni"}
    assert "airflow_provider_omni/py.typed" in files


def test_wheel_holds_example_dags_where_airflow_looks_for_them(wheel: zipfile.ZipFile) -> None:
    inside = "airflow_provider_omni/example_dags/"

    found = {name.removeprefix(inside): wheel.read(name) for name in wheel.namelist() if name.startswith(inside)}

    assert found == {file.name: file.read_bytes() for file in EXAMPLE_DAGS.glob("*.py")}
    assert "omni_line_sms.py" in found


def test_wheel_holds_the_page_of_airflow_and_its_entry_point(wheel: zipfile.ZipFile) -> None:
    folder = PACKAGE / "pages" / "static"
    inside = "airflow_provider_omni/pages/static/"

    found = {name.removeprefix(inside): wheel.read(name) for name in wheel.namelist() if name.startswith(inside)}

    assert found == {file.name: file.read_bytes() for file in folder.iterdir()}
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    assert "[airflow.plugins]\nomni = airflow_provider_omni.plugins.omni:OmniPlugin" in wheel.read(name).decode()


def test_wheel_holds_the_pages_of_the_simulator(wheel: zipfile.ZipFile) -> None:
    pages = {file for file in PACKAGE.rglob("pages/*") if file.is_file() and file.suffix != ".pyc"}

    assert {str(file.relative_to(REPOSITORY)) for file in pages} <= set(wheel.namelist())
    assert {"inbox.html", "inbox.css", "inbox.js"} <= {file.name for file in pages}


def test_wheel_carries_the_licence(wheel: zipfile.ZipFile) -> None:
    (licence,) = [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]

    assert wheel.read(licence).decode().split()[:2] == ["Apache", "License"]


def test_wheel_asks_for_lower_bounds_only(wheel: zipfile.ZipFile) -> None:
    required = metadata(wheel).get_all("Requires-Dist", [])

    assert any(one.startswith("apache-airflow>=2.11") for one in required)
    assert not [one for one in required if "<" in one.partition(";")[0] or "==" in one.partition(";")[0]]


def test_airflow_finds_the_provider_by_its_entry_point() -> None:
    (entry,) = [
        one for one in entry_points(group="apache_airflow_provider") if one.module.startswith("airflow_provider_omni")
    ]

    assert entry.load()()["package-name"] == "airflow-provider-omni"


def test_provider_info_is_made_without_importing_airflow() -> None:
    code = (
        "import sys; from airflow_provider_omni.get_provider_info import get_provider_info; get_provider_info();"
        "sys.exit('airflow' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("list", "airflow-provider-omni"),
        ("hooks", "airflow_provider_omni.hooks.omni.OmniHook"),
        ("behaviours", "omni"),
        ("triggers", "airflow_provider_omni.triggers.omni"),
        ("configs", "airflow-provider-omni"),
    ],
)
def test_airflow_providers_command_shows_us(command: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    from airflow.cli.cli_parser import get_parser

    # JSON, since the table is cut to the width of the terminal.
    arguments = get_parser().parse_args(["providers", command, "--output", "json"])
    arguments.func(arguments)

    assert shown in capsys.readouterr().out


def test_airflow_knows_our_options_and_their_defaults() -> None:
    code = """
from airflow.configuration import conf
print(*(conf.getboolean('omni', name) for name in ('show_texts', 'delivery_tabs', 'callback_data')))
"""

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.splitlines()[-1] == "False False True"


def test_airflow_takes_our_examples_out_of_an_installed_wheel_when_it_loads_examples(
    installed: Path, tmp_path: Path
) -> None:
    code = """
import json
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag
import airflow_provider_omni

(path,) = [
    bundle.path for bundle in DagBundlesManager().get_all_dag_bundles()
    if bundle.name == "airflow-provider-omni-example-dags"
]
bag = DagBag(str(path))
print(json.dumps([airflow_provider_omni.__file__, str(path), sorted(bag.dags), bag.import_errors]))
"""
    environment = {**os.environ, "AIRFLOW__CORE__LOAD_EXAMPLES": "True", "PYTHONPATH": str(installed)}

    done = subprocess.run(
        # Not from the repository, whose package would come first.
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )

    module, path, dags, errors = json.loads(done.stdout.splitlines()[-1])
    package = installed / "airflow_provider_omni"
    assert module == str(package / "__init__.py")
    assert path == str(package / "example_dags")
    assert dags == sorted(file.stem for file in EXAMPLE_DAGS.glob("omni_*.py"))
    assert errors == {}


def test_no_file_names_a_place_on_a_developers_machine() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    private = ["/" + "work/", "/" + "root/"]

    found = [
        name
        for name in tracked.stdout.splitlines()
        if (REPOSITORY / name).is_file()
        and any(word in (REPOSITORY / name).read_text(errors="replace") for word in private)
    ]

    assert found == []
