"""Settings: what differs between a laptop, CI and a cluster, all from environment variables."""

import getpass
import os
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from mlops_assets.declaration.environments import Environment
from mlops_assets.storage.landing_limits import LandingLimits
from mlops_assets.storage.storage import Storage

Executor = Literal["in_process", "multiprocess", "k8s"]
UiRole = Literal["viewer", "trainer", "promoter", "admin"]
Network = IPv4Network | IPv6Network
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
LogFormat = Literal["text", "json"]


class Settings(BaseSettings):
    """Read once where a process starts; every value has a default that works on a laptop."""

    model_config = SettingsConfigDict(
        env_prefix="MLOPS_",
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        populate_by_name=True,
        hide_input_in_errors=True,  # the input may be a password
    )

    env: Environment = "local"
    """``local`` and ``ci`` refuse to load a wrong declaration; ``staging`` and ``prod`` show it as a failing asset."""
    home: Path = Field(default=Path(".mlops"), validation_alias="DAGSTER_HOME")
    """Folder of everything that has no place of its own: the Dagster instance, sqlite files, tables."""
    storage: str | None = None
    """Root of landing zone and tables: a path or an fsspec URL. Default: ``<home>/lake``."""
    storage_options: dict[str, SecretStr] = {}
    """JSON object of Delta Lake's storage options, such as ``{"AWS_ENDPOINT_URL": "https://…"}``, which fsspec is
    given too. Default: the variables of the same names."""
    landing_limits: LandingLimits = LandingLimits()
    """JSON object: what one landed file may hold before it is refused. ``bytes`` (16 GiB), ``ratio`` (100: how many
    times its size a file of more than 256 MiB of content grows when read), ``rows`` (200 million), ``columns``
    (10,000), ``cell`` (1 MiB), ``nesting`` (32 brackets of JSON), ``memory_mib`` (896, and 4 for each declared
    column) and ``seconds`` (60: waiting for the next rows)."""
    database_url: SecretStr | None = None
    """SQLAlchemy URL of records and ledger. Default: sqlite in ``<home>``."""
    tracking_uri: SecretStr | None = Field(default=None, validation_alias="MLFLOW_TRACKING_URI")
    """MLflow tracking and registry, in a database of its own. Default: sqlite in ``<home>``."""
    artifact_root: str | None = Field(default=None, validation_alias="MLFLOW_ARTIFACT_ROOT")
    """Where new MLflow experiments keep artefacts. Default: ``<home>/mlartifacts``, or the server's choice."""
    dagster_postgres_url: SecretStr | None = None
    """``postgresql+psycopg2://…`` of the Dagster instance, a database of its own. Default: sqlite in ``<home>``."""
    executor: Executor | None = None
    """Default: ``in_process`` in local and ci, ``multiprocess`` in staging and prod; ``k8s`` runs a pod per step."""
    system_folders: list[Path] = Field(default=[], validation_alias="MLOPS_SYSTEMS")
    """JSON list of further folders that hold ``<system>/defs.yaml``; ``mlops new`` writes to the first.
    ``<home>/systems`` counts too, where it exists."""
    actor: str | None = None
    """Who acts, as the ledger names them. Default: the login name."""
    signing_public_key: Path | None = None
    """PEM file of the key whose owner must have signed what ``mlops verify`` looks at. Default: no signature needed."""
    webserver_url: str = "http://localhost:3000"
    """Where people open the Dagster UI; linked from MLflow runs."""
    ui_host: str = "127.0.0.1"
    """Where ``mlops ui`` listens. Beyond loopback addresses it needs ``MLOPS_UI_TOKENS`` or ``MLOPS_UI_PROXIES``."""
    ui_port: int = 3000
    """Port of ``mlops ui``."""
    ui_allowed_hosts: list[str] = []
    """JSON list of names under which browsers may reach ``mlops ui``, beside localhost: ``["ml.example.com"]``."""
    ui_tokens: dict[UiRole, SecretStr] = {}
    """JSON object of a token for each role, at least 16 characters: sent as ``Authorization: Bearer``, or typed in."""
    ui_proxies: list[Network] = []
    """JSON list of addresses or networks of authenticating proxies, whose word on who asks is taken."""
    ui_identity_header: str = "X-Forwarded-Email"
    """Header in which such a proxy names the person; the default is oauth2-proxy's."""
    ui_groups_header: str = "X-Forwarded-Groups"
    """Header in which it lists the person's groups, separated by commas."""
    ui_roles: dict[UiRole, list[str]] = {}
    """JSON object of the people of each role, ``group:NAME`` for a group and ``*`` for everyone the proxy lets in."""
    webhook_url: SecretStr | None = None
    """Failed runs and aliases moved by hand are posted here as JSON, again and again until it answers with success."""
    webhook_secret: SecretStr | None = None
    """Key of the HMAC-SHA256 signature of posted messages."""
    webhook_private: bool = False
    """Whether the webhook may have a private or loopback address; else it is refused, whatever its name resolves to."""

    log_level: LogLevel | None = None
    """What is logged from the platform, Dagster and its servers; of other libraries only from ``WARNING`` on.
    Default: ``WARNING`` in local, where a person reads along, else ``INFO``."""
    log_format: LogFormat | None = None
    """One line of text or one JSON object a record. Default: ``text`` in local and ci, ``json`` in staging and prod."""
    log_file: Path | None = None
    """Also log to this file, which all processes share. Default: standard error only."""
    log_file_bytes: int = Field(default=10_000_000, gt=0)
    """Size from which on the log file is rotated: it becomes ``<file>.1``, the one before ``<file>.2``."""
    log_files_kept: int = Field(default=5, gt=0)
    """How many rotated files are kept."""

    @cached_property
    def folder(self) -> Path:
        """``home`` as an absolute path."""
        return self.home.absolute()

    @property
    def systems(self) -> list[Path]:
        """Every folder that holds systems beside those that ship."""
        own = self.folder / "systems"
        known = {folder.absolute() for folder in self.system_folders}
        return [*self.system_folders, *([own] if own.is_dir() and own not in known else [])]

    @property
    def drafts(self) -> Path:
        """Where ``mlops new`` writes."""
        return self.system_folders[0] if self.system_folders else self.folder / "systems"

    @property
    def who(self) -> str:
        """``actor``, or who is logged in."""
        try:
            return self.actor or getpass.getuser()
        except (KeyError, OSError):  # a container may run as a number that has no name
            return f"uid {os.getuid()}"

    @property
    def strict(self) -> bool:
        """Whether one wrong declaration stops the whole code location from loading."""
        return self.env in ("local", "ci")

    @property
    def step_executor(self) -> Executor:
        return self.executor or ("in_process" if self.strict else "multiprocess")

    @property
    def logged_from(self) -> LogLevel:
        """``log_level``, or the default of the environment."""
        return self.log_level or ("WARNING" if self.env == "local" else "INFO")

    @property
    def logged_as(self) -> LogFormat:
        """``log_format``, or the default of the environment."""
        return self.log_format or ("text" if self.strict else "json")

    @property
    def storage_root(self) -> str:
        return self.storage or str(self.folder / "lake")

    @property
    def records_url(self) -> str:
        return self._secret(self.database_url) or f"sqlite:///{self.folder / 'platform.db'}"

    @property
    def mlflow_uri(self) -> str:
        return self._secret(self.tracking_uri) or f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def mlflow_artifacts(self) -> str | None:
        if self.artifact_root or self.mlflow_uri.startswith(("http://", "https://")):
            return self.artifact_root
        return str(self.folder / "mlartifacts")

    def open_storage(self) -> Storage:
        """The storage these settings name.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> with TemporaryDirectory() as folder:
            ...     storage = Settings(home=folder, storage="s3://lake/mlops").open_storage()
            >>> storage.landing("wine_quality")
            's3://lake/mlops/landing/wine_quality'
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {name: value.get_secret_value() for name, value in self.storage_options.items()}
        return Storage(
            root=self.storage_root,
            database_url=self.records_url,
            options=options,
            limits=self.landing_limits,
        )

    @staticmethod
    def _secret(value: SecretStr | None) -> str | None:
        return value.get_secret_value() if value else None


def wrong_setting(error: ValidationError | SettingsError) -> str | None:
    """What is wrong with the environment, by variable; None where ``error`` is about something else.

    Example:
        >>> try:
        ...     Settings(env="production")
        ... except ValidationError as error:
        ...     print(wrong_setting(error))
        MLOPS_ENV: Input should be 'local', 'ci', 'staging' or 'prod'. Remedy: docs/reference/settings.md
    """
    if isinstance(error, SettingsError):
        field = str(error).partition('"')[2].partition('"')[0]
        return f"{_variable(field)}: no JSON. Remedy: docs/reference/settings.md"
    if error.title != Settings.__name__:
        return None
    named = "; ".join(f"{_variable(str(fault['loc'][0]))}: {fault['msg']}" for fault in error.errors())
    return f"{named}. Remedy: docs/reference/settings.md"


def _variable(name: str) -> str:
    field = Settings.model_fields.get(name)
    return str(field.validation_alias or f"MLOPS_{name.upper()}") if field else name
