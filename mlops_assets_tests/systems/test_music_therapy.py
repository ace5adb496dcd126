"""music_therapy costs a declaration, a sample and a function; a stranger's real data costs a declaration."""

from pathlib import Path

import pytest

from mlops_assets.declaration.reading import SHIPPED, find_system, read_declaration
from mlops_assets.defs.music_therapy.features import ENERGY_FLOOR, engineer
from mlops_assets.defs.music_therapy.sample import CORRELATIONS, LABEL_NOISE, TRACKS, rows
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.version import FeaturesVersion
from mlops_assets_tests.platform import Platform, checks

SPOTIFY = """\
type: mlops_assets.component.MLSystem
attributes:
  name: spotify_moods
  task: classification
  dataset:
    target: mood
    key: [id]
    columns:
      id: {type: string}
      popularity: {type: integer, min: 0, max: 100}
      length: {type: integer, min: 1}
      danceability: {type: float, min: 0, max: 1}
      acousticness: {type: float, min: 0, max: 1}
      energy: {type: float, min: 0, max: 1}
      instrumentalness: {type: float, min: 0, max: 1}
      liveness: {type: float, min: 0, max: 1}
      valence: {type: float, min: 0, max: 1}
      loudness: {type: float, min: -60, max: 5}
      speechiness: {type: float, min: 0, max: 1}
      tempo: {type: float, min: 0, max: 300}
      key: {type: integer, min: 0, max: 11}
      time_signature: {type: integer, min: 0, max: 7}
      mood: {type: string, allowed: [Calm, Energetic, Happy, Sad]}
  features:
    categorical: [key, time_signature]
  model:
    params: {max_iter: 40}
  evaluation:
    gates:
      - {metric: accuracy, at_least: 0.70}
      - {check: beats_baseline}
"""


def test_the_sample_is_what_its_rule_and_noise_say():
    from scipy.stats import spearmanr

    tracks = rows()
    assert len(tracks) == TRACKS
    lively = (tracks["valence"] > 0.7) & (tracks["energy"] > 0.6)
    calm = (tracks["valence"] < 0.4) & (tracks["energy"] < 0.5)
    by_rule = tracks["category"].where(~lively, "motivation").where(lively | ~calm, "relaxation")
    by_rule = by_rule.where(lively | calm, "focus")
    assert (by_rule != tracks["category"]).mean() == pytest.approx(LABEL_NOISE, abs=0.012)
    for (one, other), wanted in CORRELATIONS.items():
        measured, _ = spearmanr(tracks[one], tracks[other])
        assert measured == pytest.approx(wanted, abs=0.06)
    assert rows().equals(tracks), "the sample is seeded"


def test_a_silent_track_makes_no_endless_ratio():
    tracks = rows().head(3).assign(energy=[0.0, 0.5, 1.0])
    ratio = engineer(tracks)["tempo_energy_ratio"]
    assert ratio.max() <= 180 / ENERGY_FLOOR
    assert ratio.iloc[2] == tracks["tempo"].iloc[2]


def test_music_therapy_becomes_champion_by_its_declared_gates(platform: Platform):
    spec = find_system("music_therapy", [SHIPPED])
    platform.land(spec)
    result = platform.run(spec)
    assert result.success
    assert {"accuracy_at_least", "f1_macro_at_least", "beats_baseline"} <= set(checks(result))
    features = platform.storage.records.latest(FeaturesVersion, spec.name)
    assert features is not None
    assert len(features.columns) == 13
    shares = {part: count / TRACKS for part, count in features.rows.items()}
    assert shares["train"] == pytest.approx(0.7, abs=0.03)
    assert shares["validation"] == pytest.approx(0.1, abs=0.02)
    assert shares["test"] == pytest.approx(0.2, abs=0.03)
    assert platform.registry(spec).champion() == 1


def test_real_moods_cost_a_declaration(platform: Platform, shared_data: Path, tmp_path: Path):
    path = tmp_path / "systems" / "spotify_moods" / "defs.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(SPOTIFY, encoding="utf-8")
    spec = read_declaration(path)
    platform.land(spec, shared_data / "spotify_moods" / "data_moods.csv")
    result = platform.run(spec)
    assert result.success, {name: ok for name, ok in checks(result).items() if not ok}
    report = platform.storage.records.latest(EvaluationReport, spec.name)
    assert report is not None
    accuracy = next(metric for metric in report.metrics if metric.name == "accuracy")
    assert accuracy.value is not None
    assert accuracy.value == pytest.approx(0.80, abs=0.07)
    assert (accuracy.baselines["simple"] or 0) == pytest.approx(0.29, abs=0.07)
    assert platform.registry(spec).champion() == 1
