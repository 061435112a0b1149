"""Settings: environment over file over default, and errors that name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from records.errors import SettingError
from serving.settings import load_settings
from training.definitions import definitions


def written(folder: Path, text: str) -> Path:
    file = folder / "pehle.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_hold_where_nothing_is_said() -> None:
    settings = load_settings(None, {})
    assert (settings.churn.definition, settings.churn.horizon_days, settings.planning.cool_down_days) == (
        "inactivity",
        90,
        14,
    )


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, '[company]\ntimezone = "Asia/Kolkata"\nname = "Saral"\n')
    monkeypatch.setenv("PEHLE_COMPANY__TIMEZONE", "Europe/Berlin")
    settings = load_settings(file)
    assert (settings.company.timezone, settings.company.name) == ("Europe/Berlin", "Saral")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[churn]\nhorizon = 90\n", r"Unknown setting 'churn.horizon' in .*pehle.toml"),
        ("[chrun]\nhorizon_days = 90\n", r"Unknown setting 'chrun'"),
        ("[churn]\nhorizon_days = 0\n", r"'churn.horizon_days' has the value 0"),
        ('[company]\ntimezone = "Asia/Bombay-ish"\n', r"'company.timezone' has the value 'Asia/Bombay-ish'.*IANA"),
        ("[churn\n", r"not valid TOML.*line 1"),
    ],
)
def test_a_wrong_file_is_named_with_key_and_value(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        load_settings(written(tmp_path, text), {})


@pytest.mark.parametrize("name", ["PEHLE_COMPANY__TIMEZON", "PEHLE_TIMEZONE", "PEHLE_CHRUN__EVENT"])
def test_a_misspelt_variable_is_not_silently_ignored(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        load_settings(None, {name: "x"})


def test_a_secret_stays_out_of_sight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "smtp"
    secret.write_text("correct horse\n", encoding="utf-8")
    monkeypatch.setenv("PEHLE_SENDING__SMTP_PASSWORD_FILE", str(secret))
    settings = load_settings(None)
    assert settings.sending.password() == "correct horse"
    assert "correct horse" not in repr(settings)


def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"'store' has the value \(hidden\)") as refusal:
        load_settings(written(tmp_path, 'store = "postgresql://me:correct-horse@db/pehle"\n'), {})
    assert "correct-horse" not in str(refusal.value)


def test_a_missing_secret_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEHLE_STORE__URL_FILE", "/nowhere/url")
    with pytest.raises(SettingError, match=r"store.url_file names /nowhere/url"):
        load_settings(None).store.address()


PREPAID = '[churn]\nhorizon_days = 60\n[churn.prepaid]\nwhere = { plan = "prepaid" }\n'


def test_a_table_of_churn_is_a_definition_over_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEHLE_CHURN__ACTIVE_WITHIN_DAYS", "30")
    text = PREPAID + '[churn.shop]\nwhere = { product = ["a*", "b"], auto = true }\nhorizon_days = 14\n'
    found = definitions(load_settings(written(tmp_path, text)).churn)
    assert list(found) == ["prepaid", "shop", "default"]
    assert [one.horizon_days for one in found.values()] == [60, 14, 60]
    assert {one.active_within_days for one in found.values()} == {30}
    assert found["shop"].where == {"product": ["a*", "b"], "auto": ["true"]}
    assert found["shop"].unless == ({"plan": ["prepaid"]},)
    assert found["default"].where == {}
    assert found["default"].unless == (found["prepaid"].where, found["shop"].where)


def test_without_tables_there_is_one_definition(tmp_path: Path) -> None:
    found = definitions(load_settings(None, {}).churn)
    assert list(found) == ["default"]
    assert found["default"].unless == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[churn.prepaid]\nhorizon = 9\n" + 'where = { plan = "x" }', r"Unknown setting 'churn.prepaid.horizon'"),
        ("[churn.prepaid]\nhorizon_days = 9\n", r"\[churn.prepaid\] says nothing of whom it is about"),
        ('[churn.default]\nwhere = { plan = "x" }\n', r"\[churn.default\] cannot be the name"),
        ('[churn.Pre-paid]\nwhere = { plan = "x" }\n', r"\[churn.Pre-paid\] cannot be the name"),
        ('[churn.prepaid]\nwhere = { "a/b" = "x" }\n', r"'a/b' is not the name of a column or property"),
        ("[churn.prepaid]\nwhere = { plan = [] }\n", r"plan has no value to compare with"),
        ('[churn.prepaid]\nwhere = "plan = prepaid"\n', r"'churn.prepaid.where' has the value 'plan = prepaid'"),
    ],
)
def test_a_wrong_table_of_churn_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        load_settings(written(tmp_path, text), {})
