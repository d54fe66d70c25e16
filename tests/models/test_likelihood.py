import numpy as np
import pytest
import torch

from tests.conftest import ARCHITECTURES
from xlv.models.likelihood import path_log, total_nats

TEXTS = [
    "I paid my neighbour for the window.",
    "I paid my neighbour for nothing at all.",
    "The river bends twice.",
    "Salt melts ice.",
]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nats_are_the_loss_of_hugging_face_times_the_tokens_predicted(tiny, architecture):
    model = tiny(architecture)
    found = total_nats(model, TEXTS)
    for nats, text in zip(found, TEXTS, strict=True):
        ids = torch.tensor(model.token_ids([text]))
        loss = model.network(input_ids=ids, labels=ids).loss
        assert nats == pytest.approx(float(loss) * (ids.shape[1] - 1), rel=1e-4)


def test_nats_do_not_depend_on_the_batch_or_the_template(tiny):
    model = tiny()
    whole = total_nats(model, TEXTS)
    np.testing.assert_allclose(total_nats(model, TEXTS, token_budget=1), whole, rtol=1e-4)
    np.testing.assert_allclose(total_nats(model.with_template("chat"), TEXTS), whole, rtol=1e-5)


def test_a_text_of_one_token_is_refused(tiny):
    with pytest.raises(ValueError, match="at least two tokens"):
        total_nats(tiny(), ["I paid.", "I"])


def test_a_path_is_read_at_its_places():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.2, 0.4, 0.4]]))
    assert path_log(logits, [0, 2], [1, 0]) == pytest.approx(np.log(0.25) + np.log(0.2))
