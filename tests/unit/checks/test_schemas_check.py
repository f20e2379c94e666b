"""The check of schemas/ as a whole, on copies that something was done to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.checks import schemas

pytestmark = pytest.mark.slow  # every schema, again and again; `make check` holds them


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(schemas.FOLDER, tmp_path / "schemas"))


def test_what_is_committed_is_in_step_and_compatible() -> None:
    assert schemas.drift(schemas.FOLDER) == []
    assert schemas.incompatibilities(schemas.FOLDER) == []
    assert schemas.main(["--check"]) == 0


@pytest.mark.parametrize("name", ("asyncapi.yaml", "com.omnirps.carrier.scanned.v1.json"))
def test_a_file_that_was_changed_by_hand_or_is_missing_has_drifted(folder: Path, name: str) -> None:
    (folder / name).write_text((folder / name).read_text() + " ")
    assert [complaint.split(":")[0] for complaint in schemas.drift(folder)] == [f"schemas/{name}"]

    (folder / name).unlink()
    assert [complaint.split(":")[0] for complaint in schemas.drift(folder)] == [f"schemas/{name}"]


def test_a_schema_of_a_type_that_no_model_has_is_stray(folder: Path) -> None:
    (folder / "com.omnirps.other.v1.json").write_text("{}")

    assert schemas.drift(folder) == ["schemas/com.omnirps.other.v1.json: no model makes this"]


def edit(folder: Path, event_type: str, old: str, new: str) -> None:
    file = folder / "published" / f"{event_type}.json"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_published_input_that_allowed_more_is_broken(folder: Path) -> None:
    edit(folder, "com.omnirps.hub.exported.v1", '"^[A-Z]{2}$"', '"^[A-Z]{2,3}$"')

    (complaint,) = schemas.incompatibilities(folder)

    assert complaint.startswith("com.omnirps.hub.exported.v1: data.destination_country: by pattern")


def test_a_published_output_that_promised_more_is_broken(folder: Path) -> None:
    file = folder / "published" / "com.omnirps.return.status-changed.v1.json"
    old = json.loads(file.read_text())
    old["$defs"]["StatusChangedData"]["properties"]["rank"] = {"type": "integer"}
    file.write_text(json.dumps(old))

    assert schemas.incompatibilities(folder) == ["com.omnirps.return.status-changed.v1: data.rank: the member is gone"]


def test_a_published_type_may_not_go(folder: Path) -> None:
    (folder / "published" / "com.omnirps.hub.weighed.v1.json").write_text("{}")

    assert schemas.incompatibilities(folder) == ["com.omnirps.hub.weighed.v1: the type is gone"]


def test_a_type_that_is_not_published_yet_is_named(folder: Path) -> None:
    (folder / "published" / "com.omnirps.hub.exported.v1.json").unlink()

    (complaint,) = schemas.incompatibilities(folder)

    assert complaint.startswith("schemas/published/com.omnirps.hub.exported.v1.json: missing")


@pytest.fixture
def in_copy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(schemas, "FOLDER", folder)
    return folder


def test_writing_mends_drift(in_copy: Path) -> None:
    (in_copy / "asyncapi.yaml").write_text("")
    assert schemas.main(["--check"]) == 1

    assert schemas.main(["--write"]) == 0

    assert schemas.main(["--check"]) == 0


def test_publishing_freezes_the_schemas_as_they_are(in_copy: Path) -> None:
    (in_copy / "published" / "com.omnirps.hub.exported.v1.json").unlink()

    assert schemas.main(["--publish"]) == 0

    assert schemas.main(["--check"]) == 0


def test_publishing_is_refused_where_it_would_break_somebody(in_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(in_copy, "com.omnirps.hub.exported.v1", '"connote"', '"consignment"')
    before = (in_copy / "published" / "com.omnirps.hub.exported.v1.json").read_text()

    assert schemas.main(["--publish"]) == 1

    assert "data.consignment: the member is gone" in capsys.readouterr().err
    assert (in_copy / "published" / "com.omnirps.hub.exported.v1.json").read_text() == before


def test_anything_else_on_the_command_line_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert schemas.main([]) == 2
    assert "--check" in capsys.readouterr().err
