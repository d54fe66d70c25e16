"""A Hub that refuses, that is silent, and what lies in its cache."""

import shutil
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from xlv.models import hub
from xlv.models.activations import extract
from xlv.models.advice import ModelError
from xlv.models.load import load_model


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """The Hub is asked at this address, and its cache is a folder of this test's."""
    from huggingface_hub import constants

    monkeypatch.setattr(hub, "_SECONDS", 0.2)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def at(port: int) -> None:
        address = f"http://127.0.0.1:{port}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )

    return at


@pytest.fixture
def silence(asked):
    """A Hub that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked(server.getsockname()[1])
        yield


@pytest.fixture
def refusal(asked):
    """A Hub that answers everything with 404."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    asked(server.server_port)
    yield
    server.shutdown()


def cached(tiny_folder, root):
    """The folder of a model as it lies in the Hub's cache."""
    below = root / "models--org--model"
    (below / "refs").mkdir(parents=True)
    (below / "refs" / "main").write_text(40 * "a")
    return shutil.copytree(tiny_folder, below / "snapshots" / (40 * "a"))


def test_a_silent_hub_is_said_to_be_silent(silence):
    assert not hub.answers("org/model")
    with pytest.raises(ModelError, match="cannot load org/model: .*check the id and the network"):
        load_model("org/model", dtype="fp32")


def test_what_lies_whole_in_the_cache_of_a_silent_hub_is_read(silence, tiny_folder, tmp_path):
    folder = cached(tiny_folder, tmp_path / "hub")
    model, texts = load_model("org/model", dtype="fp32"), ["I kept the promise."]
    assert model.name == "model"
    assert extract(model, texts).equal(extract(load_model(str(tiny_folder), dtype="fp32"), texts))
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="holds no weights"):
        load_model("org/model", dtype="fp32")


def test_a_hub_that_knows_no_such_model_answers(refusal):
    assert hub.answers("org/model")
    with pytest.raises(ModelError, match="cannot load org/model: .*check the id"):
        load_model("org/model", dtype="fp32")
