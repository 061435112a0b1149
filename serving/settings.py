"""Which settings hold in this home? Environment > `pehle.toml` > default, read here and nowhere else.

Environment names follow the file: `[company] timezone` is `PEHLE_COMPANY__TIMEZONE`. A secret may stand in a file
of its own: `smtp_password_file`, `PEHLE_SENDING__SMTP_PASSWORD_FILE`. An unknown key is an error that names it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from records.errors import SettingError
from training.definitions import ChurnSection
from training.labels import IssueOptions, TrainingOptions

ENVIRONMENT_PREFIX = "PEHLE_"
# Names with our prefix that are not settings: where the home is.
RESERVED = ("PEHLE_HOME",)
_CHURN = frozenset(ChurnSection.model_fields)


class Options(BaseModel):
    """A section of the file: immutable, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CompanyOptions(Options):
    """Who writes to the customers, and where its days begin."""

    name: str = "Your company"
    name_hi: str = ""  # the brand in Devanagari; empty: the name as it is
    timezone: str = "UTC"  # IANA name; defines days, quiet hours and when lists are due
    currency: str = Field(default="INR", pattern="^[A-Z]{3}$")
    language: str = Field(default="en", pattern="^(en|hi)$")
    website: str = "https://example.invalid"  # buttons may lead here and nowhere else
    support_email: str = "help@example.invalid"
    postal_address: str = ""  # in the foot of every e-mail; without it no e-mail goes out

    @field_validator("timezone")
    @classmethod
    def zone_exists(cls, value: str) -> str:
        if value not in available_timezones():
            msg = "expected an IANA zone such as Asia/Kolkata"
            raise ValueError(msg)
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class PlanningOptions(Options):
    """How much outreach, and when."""

    budget_minor: int = Field(default=5_000_000, ge=0)  # per month, in the currency's minor unit: ₹50,000
    cool_down_days: int = Field(default=14, ge=0)  # nobody hears from us again sooner
    quiet_from: time = time(21, 0)  # in the customer's own zone
    quiet_until: time = time(9, 0)
    decide_by: time = time(18, 0)  # what is undecided then is not sent
    max_staleness_days: int = Field(default=3, ge=0)  # `plan` and `send` refuse on an older log


class SendingOptions(Options):
    """Through what, and how fast. Without `smtp_host` everything goes to the local outbox."""

    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_password_file: Path | None = None  # a file that holds it instead
    smtp_starttls: bool = True
    from_address: str = "hello@example.invalid"
    max_per_minute: int = Field(default=120, ge=1)
    base_url: str = "http://127.0.0.1:8800"  # where unsubscribe and click links lead: this web app, seen from outside

    def password(self) -> str:
        """The password of the mail server, from its file if one is named."""
        return _secret(self.smtp_password, self.smtp_password_file, "sending.smtp_password_file")


class WebOptions(Options):
    """Where the review app listens, and how long a sign-in lasts."""

    host: str = "127.0.0.1"
    port: int = Field(default=8800, ge=0, le=65535)
    idle_minutes: int = Field(default=120, ge=1)
    session_hours: int = Field(default=12, ge=1)


class ImportOptions(Options):
    """Files dropped into `folder` (below the home) are imported each night with `mapping`."""

    folder: str = "incoming"
    mapping: str = ""


class EngineOptions(Options):
    """What makes signals and scores: this process with DuckDB and numpy if `url` is empty, else the Spark there."""

    url: str = Field(default="", pattern=r"^(local(\[[0-9*]+\])?|(spark|k8s)://.+|yarn)?$")


class StoreOptions(Options):
    """Where the operational database is; empty: SQLite in the home."""

    url: SecretStr = SecretStr("")
    url_file: Path | None = None  # a file that holds it instead

    def address(self) -> str:
        """The address of the database, from its file if one is named; empty for SQLite in the home."""
        return _secret(self.url, self.url_file, "store.url_file")


class Settings(BaseSettings):
    """All settings of one home."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__"
    )

    company: CompanyOptions = CompanyOptions()
    churn: ChurnSection = ChurnSection()
    issues: IssueOptions = IssueOptions()
    training: TrainingOptions = TrainingOptions()
    planning: PlanningOptions = PlanningOptions()
    sending: SendingOptions = SendingOptions()
    web: WebOptions = WebOptions()
    imports: ImportOptions = ImportOptions()
    store: StoreOptions = StoreOptions()
    engine: EngineOptions = EngineOptions()


def load_settings(file: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of a home.

    Parameters
    ----------
    file
        `pehle.toml`; absent or None means defaults and environment only.
    environment
        For tests; default is the process's own. Only `PEHLE_…` names are looked at.

    Raises
    ------
    SettingError
        The file is not TOML, a key is unknown, or a value cannot be used; names key, value and source.
    """
    _check_environment(os.environ if environment is None else environment)
    if file is not None and file.exists():
        _check_toml(file)

    class Reader(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            sources: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings)
            if file is not None and file.exists():
                sources += (TomlConfigSettingsSource(settings_cls, toml_file=file),)
            return sources

    try:
        return Reader()
    except ValidationError as error:
        raise _as_setting_error(error, file) from error


def _check_toml(file: Path) -> None:
    try:
        tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{file} is not valid TOML: {error}."
        raise SettingError(msg, remedy="Mend that line, or move the file away to use the defaults.") from error


def _check_environment(environment: Mapping[str, str]) -> None:
    """A misspelt PEHLE_ name would otherwise be silently ignored."""
    for name in environment:
        if not name.startswith(ENVIRONMENT_PREFIX) or name in RESERVED:
            continue
        section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
        field = Settings.model_fields.get(section)
        options = field.annotation if field else None
        if not (isinstance(options, type) and issubclass(options, BaseModel) and (key in options.model_fields)):
            msg = f"The environment variable {name} is not a setting of Pehle."
            raise SettingError(msg, remedy="Names look like PEHLE_COMPANY__TIMEZONE; see README, Settings.", key=name)


def _secret(value: SecretStr, file: Path | None, name: str) -> str:
    if file is None:
        return value.get_secret_value()
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        msg = f"The setting {name} names {file}, which cannot be read: {error.strerror}."
        raise SettingError(msg, remedy="Create the file, or remove the setting.", key=name) from error


def _as_setting_error(error: ValidationError, file: Path | None) -> SettingError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    source = str(file) if file is not None else "the environment"
    # [churn] takes tables beside its keys: what is neither is unknown like any other.
    unknown = first["type"] == "model_type" and len(first["loc"]) > 1 and key.removeprefix("churn.") not in _CHURN
    if unknown or first["type"] == "extra_forbidden":
        msg = f"Unknown setting {key!r} in {source}."
        return SettingError(msg, remedy="Remove it, or see README, Settings, for the names.", key=key, source=source)
    secret = any(word in key for word in ("password", "url")) or key in ("sending", "store")  # a whole section
    value = "(hidden)" if secret else repr(first["input"])
    msg = f"Setting {key!r} has the value {value}: {first['msg']}."
    return SettingError(msg, remedy=f"Change it in {source} or in the environment.", key=key, value=value)
