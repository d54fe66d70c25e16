import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from xlv.questions.control.detection import auroc, detection, prompt_weights


def test_auroc_is_that_of_scikit_learn_and_invariant_to_the_threshold():
    generator = np.random.default_rng(0)
    harmful, harmless = generator.normal(1, 1, 30).round(1), generator.normal(0, 1, 30).round(1)  # with ties
    found = auroc(harmful, harmless, prompt_weights(30))
    assert found[0] == pytest.approx(roc_auc_score([1] * 30 + [0] * 30, [*harmful, *harmless]))
    assert auroc(harmful + 7, harmless + 7, prompt_weights(30)) == pytest.approx(found)
    assert np.quantile(found[1:], 0.025) < found[0] < np.quantile(found[1:], 0.975)


def test_detection_is_finite_at_the_extremes_and_symmetric():
    d, c = detection(np.array([1.0, 0.5, 0.9]), np.array([0.0, 0.5, 0.9]), 40)
    assert np.isfinite(d).all() and d[0] > 4 and c[0] == pytest.approx(0)
    assert d[1] == c[1] == pytest.approx(0)
    assert d[2] == pytest.approx(0) and c[2] < -1  # refuses much, tells nothing apart
