"""Texts and errors lose the passwords and keys that the process was given, and nothing else."""

import json
from typing import Any
from urllib.parse import quote, quote_plus

import dagster as dg
import pytest

from mlops_assets.asset import refusals
from mlops_assets.definitions import resources
from mlops_assets.errors import MlopsError
from mlops_assets.resources.notification import Notification
from mlops_assets.resources.redaction import redacted, redacting, without_login
from mlops_assets.resources.storage import StorageResource
from mlops_assets.resources.tracking import MlflowTracking
from mlops_assets.settings import Settings
from mlops_assets.storage.storage import Storage

SECRET = "planted/sécret+1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:secret@db/x", "postgresql://me:***@db/x"),
        ("cannot reach 'https://u:p@host:5000/a', retry", "cannot reach 'https://u:***@host:5000/a', retry"),
        ("(https://u:p@ss@host/a)", "(https://u:***@host/a)"),
        ("postgresql://me:a/b:c@db/x", "postgresql://me:***@db/x"),
        ("http://localhost:5000/#/models/wine@champion", "http://localhost:5000/#/models/wine@champion"),
        ("https://:token@host", "https://:***@host"),
        ("s3://b/k?X-Amz-Signature=abc&part=1", "s3://b/k?X-Amz-Signature=***&part=1"),
        ("postgresql:///db?password=abc&host=h", "postgresql:///db?password=***&host=h"),
        ("sqlite:///file.db", "sqlite:///file.db"),
        (
            "http://localhost:5000/#/experiments/1 by ada@example.org",
            "http://localhost:5000/#/experiments/1 by ada@example.org",
        ),
        ("accuracy: 0.9 at 12:30, see key=value", "accuracy: 0.9 at 12:30, see key=value"),
    ],
)
def test_no_password_in_a_url_is_shown(text: str, shown: str):
    assert redacted(text) == shown


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("MLFLOW_TRACKING_PASSWORD", SECRET),
        ("MLOPS_WEBHOOK_SECRET", SECRET),
        ("MLOPS_STORAGE_OPTIONS", f'{{"AWS_SECRET_ACCESS_KEY": "{SECRET}", "AWS_REGION": "eu-central-1"}}'),
        ("MLOPS_DATABASE_URL", "postgresql://me:planted%2Fs%C3%A9cret%2B1@db/x"),
        ("MLOPS_WEBHOOK_URL", f"https://hooks.example/{SECRET}"),
    ],
)
def test_no_secret_of_the_environment_is_shown(monkeypatch: pytest.MonkeyPatch, variable: str, value: str):
    monkeypatch.setenv(variable, value)
    assert redacted(f"refused: {SECRET}") == "refused: ***"
    assert "planted" not in redacted(f"refused: {value}")
    assert redacted("in eu-central-1, as before") == "in eu-central-1, as before"


@pytest.mark.parametrize("password", ["pa[ss-word", "pa/ss?word", "pa]ss#word", "12/34-word", "pa\\ss'\"word"])
def test_no_password_stops_redaction_or_is_shown_however_a_text_writes_it(
    monkeypatch: pytest.MonkeyPatch, password: str
):
    monkeypatch.setenv("PGPASSWORD", password)
    monkeypatch.setenv("MLOPS_DATABASE_URL", f"postgresql+psycopg2://me:{password}@db/x")
    monkeypatch.setenv("MLOPS_WEBHOOK_URL", f"http://[{password}")
    forms = [password, quote(password, safe=""), quote_plus(password), repr(password)[1:-1], json.dumps(password)[1:-1]]
    for form in forms:
        assert redacted(f"refused: {form} at all") == "refused: *** at all"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MLOPS_DATABASE_URL", "postgresql+psycopg2://me:pa[planted@db/x"),
        ("MLOPS_DATABASE_URL", "postgresql+psycopg2://me:pa[planted@db/x?application_name=ada@example.org"),
        ("MLOPS_DATABASE_URL", "postgresql+psycopg2://me@db/x?sslpassword=pa[planted"),
        ("MLOPS_STORAGE_OPTIONS", '{"proxy_url": "http://me:pa[planted@proxy"}'),
    ],
)
def test_a_secret_inside_an_address_is_not_shown_alone(monkeypatch: pytest.MonkeyPatch, variable: str, value: str):
    monkeypatch.setenv(variable, value)
    assert redacted("refused: pa[planted, and pa%5Bplanted") == "refused: ***, and ***"


def test_an_address_without_a_login_holds_no_secret(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IMAGE", "docker://registry/image:latest@sha256:abc")
    monkeypatch.setenv("PAGE", "http://localhost:500000/#/by/ada@example.org")
    assert redacted("the latest of 500000/#/by/ada") == "the latest of 500000/#/by/ada"


@redacting()
@refusals()
def refuse() -> None:
    try:
        raise KeyError(f"no {SECRET}")
    except KeyError as error:
        raise MlopsError(f"refused {SECRET}") from error


def test_an_error_and_what_it_was_raised_from_lose_their_secrets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with pytest.raises(dg.Failure) as raised:
        refuse()
    errors: list[BaseException] = [raised.value]
    while cause := errors[-1].__cause__:
        errors.append(cause)
    assert [str(error) for error in errors] == ["MlopsError: refused ***", "refused ***", "'no ***'"]
    assert raised.value.description == "MlopsError: refused ***"


def test_what_is_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "parallel")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/etc/key.json")
    monkeypatch.setenv("MINIO_ROOT_PASSWORD", "wine")  # too short to be told from a word
    assert redacted("parallel: no /etc/key.json for wine") == "parallel: no /etc/key.json for wine"


def test_each_error_of_a_group_loses_its_secrets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with pytest.raises(ExceptionGroup) as raised, redacting():
        raise ExceptionGroup("several", [KeyError(f"no {SECRET}"), ValueError("plain")])
    assert [str(error) for error in raised.value.exceptions] == ["'no ***'", "plain"]


def test_a_login_is_taken_out_of_an_address():
    assert without_login("https://ada:p%40ss@host:5000/x") == ("https://host:5000/x", "ada", "p@ss")
    assert without_login("https://host:5000/x") == ("https://host:5000/x", None, None)


def test_no_object_shows_its_secrets():
    url = f"postgresql://me:{SECRET}@db/x"
    shown = [
        Storage(root="s3://lake", database_url=url, options={"AWS_SECRET_ACCESS_KEY": SECRET}),
        StorageResource(root="s3://lake", database_url=url, options=f'{{"AWS_SECRET_ACCESS_KEY": "{SECRET}"}}'),
        MlflowTracking(tracking_uri=url),
        Notification(webhook_url=f"https://hooks.example/{SECRET}", webhook_secret=SECRET),
    ]
    assert [repr(one) for one in shown if SECRET in repr(one) + str(one)] == []


def test_tokens_of_the_ui_are_secrets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLOPS_UI_TOKENS", f'{{"admin": "{SECRET}"}}')
    assert SECRET not in redacted(f"Bearer {SECRET}")
    assert SECRET not in repr(Settings())


def test_storage_options_are_secret_in_settings_and_a_reference_in_resources(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLOPS_STORAGE_OPTIONS", f'{{"AWS_SECRET_ACCESS_KEY": "{SECRET}"}}')
    settings = Settings()
    assert SECRET not in repr(settings)
    assert settings.open_storage().options == {"AWS_SECRET_ACCESS_KEY": SECRET}
    definition: Any = resources(settings)["storage"]
    monkeypatch.setenv("MLOPS_STORAGE_OPTIONS", "{}")
    with dg.build_resources({"storage": definition}) as made:
        assert made.storage.options == "{}", "looked up where the run is, not kept since loading"


def test_a_wrong_setting_is_refused_without_its_value(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLOPS_STORAGE_OPTIONS", f'{{"AWS_SECRET_ACCESS_KEY": ["{SECRET}"]}}')
    with pytest.raises(ValueError, match="AWS_SECRET_ACCESS_KEY") as raised:
        Settings()
    assert SECRET not in str(raised.value)
