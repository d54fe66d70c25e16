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
    """A Hub that answers everything with one status and kind of fault; returns how often it was asked."""

    class Refusing(BaseHTTPRequestHandler):
        answer, times = (404, ""), 0

        def do_GET(self):
            type(self).times += 1
            self.send_response(self.answer[0])
            self.send_header("X-Error-Code", self.answer[1])
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    asked(server.server_port)
    yield Refusing
    server.shutdown()


def cached(tiny_folder, root):
    """The folder of a model as it lies in the Hub's cache."""
    below = root / "models--org--model"
    (below / "refs").mkdir(parents=True)
    (below / "refs" / "main").write_text(40 * "a")
    return shutil.copytree(tiny_folder, below / "snapshots" / (40 * "a"))


def test_a_silent_hub_is_said_to_be_silent(silence):
    with pytest.raises(ModelError, match=r"the Hub \(http://127.0.0.1:\d+\) does not answer.*check the network"):
        load_model("org/model", dtype="fp32")


def test_what_lies_whole_in_the_cache_of_a_silent_hub_is_read(silence, tiny_folder, tmp_path):
    folder = cached(tiny_folder, tmp_path / "hub")
    model, texts = load_model("org/model", dtype="fp32"), ["I kept the promise."]
    assert model.name == "model"
    assert extract(model, texts).equal(extract(load_model(str(tiny_folder), dtype="fp32"), texts))
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="holds no weights"):
        load_model("org/model", dtype="fp32")


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, "", r"answers with 401 \(HfHubHTTPError\).*check the id; if it is private"),
        (401, "GatedRepo", "it is gated: accept its licence"),
        (403, "GatedRepo", "it is gated: accept its licence"),
        (404, "RepoNotFound", "check the id; if it is private"),
        (404, "RevisionNotFound", "give a revision"),
        (404, "EntryNotFound", "holds no config.json on the Hub: give a repository that holds a model"),
        (429, "", "answers with 429.*try again later"),
        (503, "", "answers with 503.*try again later"),
    ],
)
def test_a_refusal_is_said_at_once_by_its_kind(refusal, status, kind, said):
    refusal.answer = status, kind
    with pytest.raises(ModelError, match=f"org/model.*{said}"):
        load_model("org/model", dtype="fp32")
    assert refusal.times < 5


def test_what_lies_whole_in_the_cache_is_read_where_the_hub_refuses(refusal, tiny_folder, tmp_path):
    cached(tiny_folder, tmp_path / "hub")
    refusal.answer = 503, ""
    assert load_model("org/model", dtype="fp32").name == "model"
