"""What can go wrong, by name.

MlopsError
├── SpecError            a declaration that cannot be meant
├── MissingExtra         a library that an optional extra brings
├── LandingError         a file that cannot be brought in
│   └── BatchRejected    a batch that broke the contract of its table
├── StorageError         a table or record that is not what was stored
├── TrainingError        rows that a model cannot be fitted on
├── NotEvaluated         a metric that these rows or predictions cannot give
├── TrackingError        MLflow is out of reach or holds something else
└── GateRefused          an exact version whose gates did not pass
    └── GateNotEvaluated no gate of it failed, but one was not evaluated

StageTimeout is none of them: no ``except Exception`` of a stage takes it for an error of what it works on.
"""


class MlopsError(Exception):
    """Base of every error that the platform raises on purpose."""


class SpecError(MlopsError):
    """A declaration that cannot be meant: names file, line, value and what is allowed."""


class MissingExtra(MlopsError):
    """A library is missing that one of the optional extras installs."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module!r} is not installed. Remedy: pip install 'mlops-assets[{extra}]'")


class LandingError(MlopsError):
    """A file that cannot be brought into the landing zone."""


class BatchRejected(LandingError):
    """A batch that broke a rule of its table; nothing of it reached the dataset."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"{rule}: {reason}")
        self.rule = rule
        self.reason = reason


class StorageError(MlopsError):
    """A stored table, artefact or record is missing, foreign or changed."""


class TrainingError(MlopsError):
    """Rows that a model cannot be fitted on: names what is wrong with them."""


class NotEvaluated(MlopsError):
    """A metric or comparison that these rows or predictions cannot give; never counted as 0 or as a pass."""


class TrackingError(MlopsError):
    """MLflow is out of reach, or what it holds is not what was logged."""


class GateRefused(MlopsError):
    """A later stage refused a version because the stored verdict of that exact version is not a pass."""


class GateNotEvaluated(GateRefused):
    """The same where no blocking gate failed, but one was not evaluated, which is no pass."""


class StageTimeout(BaseException):
    """A step took longer than its declared limit; whoever catches it must raise it on."""
