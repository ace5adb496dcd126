"""Verification: does everything that a registered version rests on still say what was recorded?"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlops_assets.audit.dataset_integrity import members, require_content, require_landed_files
from mlops_assets.audit.evidence_finding import BACKUP, EvidenceFinding, look_at
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.errors import NotEvaluated, StorageError
from mlops_assets.evaluation.stored_predictions import read_predictions
from mlops_assets.model.artefact import digest
from mlops_assets.model.prediction_intervals import FILE as INTERVALS
from mlops_assets.model.prediction_intervals import read_intervals
from mlops_assets.model.sealed.seal import PLACE, opened
from mlops_assets.model.version import ModelVersion
from mlops_assets.registry.anchor import noted
from mlops_assets.registry.provenance import features_of, model_of, own_report, require_sealed, round_trip
from mlops_assets.registry.session import RegistrySession
from mlops_assets.registry.signature import verify_signature
from mlops_assets.registry.version import RegisteredVersion
from mlops_assets.storage import hash_chain

ONNX = "model.onnx"


def verify(session: RegistrySession, number: int, public_key: Path | None = None) -> Iterator[EvidenceFinding]:
    """Look at every part of the evidence of one registered version, as it is stored now.

    With a ``public_key`` (PEM) the version must also be signed by its owner.

    Raises:
        StorageError: if there is no record of the version.
    """
    records = look_at("records", lambda: _records(session))
    try:
        looks = StoredEvidence(session, session.version(number), public_key).looks()
    except StorageError:
        if records.ok:
            raise
        looks = {}  # what is forged is not read, and the finding says so
    yield records
    for name, look in looks.items():
        yield look_at(name, look)


@dataclass(frozen=True, eq=False)
class StoredEvidence:
    """One registered version, and each way to look at what it rests on; a look raises, or tells what it found."""

    session: RegistrySession
    version: RegisteredVersion
    public_key: Path | None = None

    def looks(self) -> dict[str, Callable[[], str]]:
        """Every look that applies, in the order of the report."""
        looks: dict[str, Callable[[], str]] = {"registry": self.registry, "ledger": self.ledger}
        looks |= {"lineage": self.lineage, "files": self.files, "artefact": self.artefact}
        records, named = self.session.storage.records, (ModelVersion, self.version.system, self.version.model_digest)
        kept = records.find(*named, uri=self.version.model_uri) or records.find(*named)
        if kept is not None and kept.onnx_digest:
            looks["onnx"] = self.onnx
        if self.version.intervals_digest:
            looks["intervals"] = self.intervals
        if kept is not None and kept.baselines:
            looks["baselines"] = self.baselines
        if kept is not None and kept.sealed_code:
            looks["code"] = self.code
        if self.public_key:
            looks["signature"] = self.signature
        return looks | {
            "report": self.report,
            "predictions": self.predictions,
            "dataset": self.dataset,
            "batches": self.batches,
            "features": self.features,
            "round_trip": self.round_trip,
        }

    def registry(self) -> str:
        """The registry's entry names this report and this model."""
        from mlops_assets.resources.model_registry import REPORT_TAG

        tags = self.session.registry.version(self.version.version).tags
        for tag, recorded in ((REPORT_TAG, self.version.digest), ("mlops.model_digest", self.version.model_digest)):
            if tags.get(tag) != recorded:
                raise StorageError(
                    f"{self.version.name} carries {tag} {tags.get(tag, 'nothing')[:12]!r}, recorded was "
                    f"{recorded[:12]!r}. Remedy: set the tag back, and find out who may change the registry"
                )
        return f"version {self.version.version} names report {self.version.digest[:12]} and its model"

    def ledger(self) -> str:
        """The chain holds, and its entry about the registration names the same digests as the record."""
        ledger, system = self.session.ledger, self.version.system
        anchors = noted(self.session.registry, self.session.storage)
        chain = hash_chain.verify(system, ledger.chain(system), anchors)
        if not chain.ok:
            raise StorageError(f"{chain.broken}. Remedy: restore the ledger from a backup, and find out who changed it")
        entry = ledger.latest(system, "registered", version=self.version.version)
        if entry is None:
            raise StorageError(f"the ledger has no registration of {self.version.name}. Remedy: restore the ledger")
        named = (entry.model_digest, entry.report_digest)
        if named != (self.version.model_digest, self.version.digest):
            raise StorageError(
                f"entry {entry.sequence} registers model {named[0][:12]} on report {named[1][:12]}, the record says "
                f"{self.version.model_digest[:12]} on {self.version.digest[:12]}. Remedy: restore the records"
            )
        if not anchors:
            raise NotEvaluated(
                "the head of the ledger is noted nowhere, so entries taken off its end would not be seen. "
                f"Remedy: mlops run {system}, which notes it"
            )
        held = f"{chain.entries:,} entries in one chain, as {' and '.join(anchors)} noted"
        names = f"entry {entry.sequence} names the same digests as the record"
        return "; ".join([held, names, *chain.accepted, *chain.misdated])

    def lineage(self) -> str:
        """The records of model, features and dataset follow from each other."""
        features, dataset = features_of(self.session.storage, self.model), self._dataset
        for what, named, recorded in (
            ("features", self.version.features_digest, self.model.features_digest),
            ("dataset", self.version.dataset_digest, self.model.dataset_digest),
            ("dataset", features.dataset_digest, dataset.digest),
        ):
            if named != recorded:
                raise StorageError(
                    f"{self.version.name} names {what} {named[:12]}, its model {recorded[:12]}. "
                    "Remedy: restore the database of the records"
                )
        return f"model {self.model.digest[:12]} ← features {features.digest[:12]} ← dataset {dataset.digest[:12]}"

    def files(self) -> str:
        """Every file of the version, whether or not a look below names it."""
        return require_sealed(self.session, self.version)

    def artefact(self) -> str:
        """The pipeline as the registry has it now."""
        self._require(digest(self.fetched / "model.skops"), self.version.model_digest, "model.skops")
        return f"model.skops has digest {self.version.model_digest[:12]}"

    def onnx(self) -> str:
        """The ONNX copy beside it."""
        assert self.model.onnx_digest is not None
        self._require(_sha256(self.fetched / ONNX), self.model.onnx_digest, ONNX)
        return f"{ONNX} has digest {self.model.onnx_digest[:12]}"

    def intervals(self) -> str:
        """What prediction intervals or label sets are made from."""
        assert self.version.intervals_digest is not None
        read_intervals(self.fetched / INTERVALS, self.version.intervals_digest)
        return f"{INTERVALS} has digest {self.version.intervals_digest[:12]}"

    def baselines(self) -> str:
        """The models that the report compares with."""
        uri = f"runs:/{self.model.mlflow_run_id}/baselines"
        fetched = self.session.fetch(uri)
        for name, recorded in self.model.baselines.items():
            self._require(digest(fetched / f"{name}.skops"), recorded, f"baselines/{name}.skops")
        return f"{', '.join(sorted(self.model.baselines))}: digests hold"

    def code(self) -> str:
        """The owner's code that the model was trained with."""
        sealed = opened(self.session.fetch(f"runs:/{self.model.mlflow_run_id}/{PLACE}"), self.model.sealed_code)
        return f"{len(sealed.names)} files of the owner's and the declaration of then are as they were sealed"

    def signature(self) -> str:
        """Who vouches for the files."""
        assert self.public_key is not None
        return verify_signature(self.session, self.version, self.public_key)

    def report(self) -> str:
        """The report that the version was registered on."""
        own_report(self.session, self.version)
        return f"report.json has digest {self.version.digest[:12]}, is about this model, and passed"

    def predictions(self) -> str:
        """The test predictions that the report was made from."""
        stored = read_predictions(self._fetched_predictions, self.version.predictions_digest)
        return f"{len(stored):,} test predictions have digest {self.version.predictions_digest[:12]}"

    def dataset(self) -> str:
        """Every row of the dataset version."""
        return require_content(self.session.storage, self._dataset, self._members)

    def batches(self) -> str:
        """The landed files that the dataset version was made from."""
        return require_landed_files(self.session.storage, self._dataset, self._members)

    def features(self) -> str:
        """The features table at the recorded version."""
        from mlops_assets.features.table import read_features

        version = features_of(self.session.storage, self.model)
        rows = read_features(self.session.storage, version)["_part"].value_counts().to_dict()
        recorded = {part: count for part, count in version.rows.items() if count}
        if rows != recorded:
            raise StorageError(
                f"features {version.digest[:12]} hold {rows} rows, recorded were {recorded}. "
                "Remedy: materialise the features again"
            )
        cells = "no content digest (earlier release)" if version.content is None else "every cell hashes as recorded"
        return f"version {version.table_version} holds {sum(rows.values()):,} rows, each in its part; {cells}"

    def round_trip(self) -> str:
        """The stored model, asked again."""
        stored = read_predictions(self._fetched_predictions, self.version.predictions_digest)
        verdict = round_trip(self.session, self.model, stored, self.fetched)
        if not verdict.passed:
            raise StorageError(f"{verdict.reason}. Remedy: use the libraries of the run's environment.txt")
        return f"all {verdict.rows:,} test predictions are repeated bit for bit"

    @cached_property
    def model(self) -> ModelVersion:
        return model_of(self.session.storage, self.version)

    @cached_property
    def fetched(self) -> Path:
        """The registered version's folder, as the registry has it now."""
        return self.session.fetch_version(self.version.version)

    @cached_property
    def _fetched_predictions(self) -> Path:
        return self.session.fetch(self.version.predictions_uri)

    @cached_property
    def _members(self) -> dict[str, BatchOutcome]:
        return members(self.session.storage, self._dataset)

    @property
    def _dataset(self) -> DatasetVersion:
        return self.session.storage.records.get(DatasetVersion, self.version.system, self.version.dataset_digest)

    def _require(self, stored: str, recorded: str, name: str) -> None:
        if stored != recorded:
            raise StorageError(f"{name} has digest {stored[:12]}, recorded was {recorded[:12]}. {BACKUP}")


def _records(session: RegistrySession) -> str:
    if fault := session.storage.records.fault(session.system):
        raise StorageError(f"{fault}. Remedy: restore the database from a backup, and find out who can write it")
    return "every stored record is what an entry of the ledger seals, and none is missing"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
