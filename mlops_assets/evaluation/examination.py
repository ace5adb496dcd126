"""Examination: the diagnoses of one model, each by the function that its record names."""

import traceback
from collections.abc import Iterable

from mlops_assets.declaration.base import Task, load_object
from mlops_assets.evaluation.diagnosis import Diagnosis, Subject
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES, diagnoses_of
from mlops_assets.evaluation.diagnosis_info import DiagnosisInfo
from mlops_assets.evaluation.spec import EvaluationSpec


def needed(evaluation: EvaluationSpec, task: Task, with_train: bool = False) -> list[str]:
    """The diagnoses that the report needs: those declared, or the standard ones, and those that gates name.

    ``with_train``: the train rows are at hand, so the required ones are among them in any case.
    """
    named = {gate.measure.partition(".")[0] for gate in evaluation.gates if gate.measure}
    if evaluation.protected:
        named.add("fairness")
    if with_train:
        named |= {name for name, info in DIAGNOSES.items() if info.required}
    chosen = evaluation.diagnoses
    return [
        name
        for name in diagnoses_of(task)
        if name in named or (DIAGNOSES[name].standard if chosen is None else name in chosen)
    ]


def examine(names: Iterable[str], subject: Subject) -> list[Diagnosis]:
    """What each diagnosis found; one that errs says so and leaves its measures unevaluated."""
    from threadpoolctl import threadpool_limits

    # Many predictions of few rows: starting threads for each costs more than it saves on a busy machine.
    with threadpool_limits(limits=1):
        return [_examined(DIAGNOSES[name].for_task(subject.spec.task), subject) for name in names]


def _examined(info: DiagnosisInfo, subject: Subject) -> Diagnosis:
    look = load_object(info.examine, f"diagnosis {info.name!r}")
    try:
        return look(subject)
    except Exception as error:
        # One broken diagnosis must not hide the others; a gate on it is then not evaluated, which is not a pass.
        reason, trace = f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))
        return Diagnosis.not_evaluated(info, reason, len(subject.test), trace)
