"""Other users of the machine: what they can reach of a batch at work, and what they can read of its results."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.batch.test_conduct import LIMIT, Cluster, processes_of, until
from xlv.batch.conduct import conduct
from xlv.batch.runs import plan
from xlv.batch.spec import read_spec

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
ATTACK = """import json, os, socket, sys
connection, out, attempt, ports, proof = json.loads(sys.argv[1])
tried = []
def attempt_to(what, act):
    try:
        act()
        tried.append(what)
    except OSError:
        pass
def reach(path):
    with socket.socket(socket.AF_UNIX) as to:
        to.connect(path)
def send(port):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as to:
        to.sendall(b"\\xff\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\\x7f")
        code = f"open({proof!r}, 'w')"
        to.sendall(json.dumps({"msg_type": "execute_request", "content": {"code": code}}).encode())
attempt_to("read the key", lambda: open(connection))
attempt_to("list the sockets", lambda: os.listdir(os.path.dirname(connection)))
for k in range(1, 6):
    attempt_to(f"reach socket {k}", lambda: reach(f"{connection[:-5]}-ipc-{k}"))
for folder in (out, out + "/notebooks", out + "/runs", attempt, attempt + "/notebooks"):
    attempt_to(f"write into {folder}", lambda: open(folder + "/mine.py", "w"))
attempt_to("change a notebook", lambda: open(out + "/notebooks/idle.ipynb", "a"))
for port in ports:  # to which anybody can speak, but nothing comes of it
    send(port)
print(json.dumps(tried))"""


@pytest.fixture
def at_work(spec, start, repository):
    """A batch at work in a folder that all users can look into: its process, a kernel, and the folder."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    idle = repository / "notebooks" / "idle.ipynb"
    idle.write_text(idle.read_text().replace("time.sleep(2)", "time.sleep(300)"))
    path = spec(out=str(place / "out"), notebooks=["idle"], matrix={"models": ["llama", "gpt2"]})
    batch = start(path, "--workers", 2)
    runs = plan(read_spec(path))
    kernel = until(lambda: processes_of(runs, "ipykernel"), "a kernel")[0]
    connection = Path(connection_of(kernel))
    until(lambda: len(list(connection.parent.iterdir())) == 6, "its sockets")
    yield psutil.Process(batch.pid), kernel, place / "out"
    batch.kill()
    until(lambda: not processes_of(runs), "the end of the runs")
    shutil.rmtree(place)


def connection_of(kernel):
    return kernel.cmdline()[kernel.cmdline().index("-f") + 1]


def listening(process):
    return [found.laddr for found in process.net_connections("inet") if found.status == psutil.CONN_LISTEN]


def test_nothing_of_a_batch_listens_but_kernels_in_private_folders(at_work):
    batch, kernel, _ = at_work
    tree = [batch, *batch.children(recursive=True)]
    kernels = [process for process in tree if "ipykernel_launcher" in process.cmdline()]
    assert kernel in kernels and len(tree) > len(kernels)
    assert not [listening(process) for process in tree if process not in kernels and listening(process)]
    for process in kernels:  # ipykernel takes the output of forked processes here, which sign it with a key
        assert [address.ip for address in listening(process)] in ([], ["127.0.0.1"])
        connection = Path(connection_of(process))
        assert json.loads(connection.read_text())["transport"] == "ipc"
        assert stat.S_IMODE(connection.stat().st_mode) & 0o077 == 0
        assert stat.S_IMODE(connection.parent.stat().st_mode) & 0o077 == 0


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="only root can try what another user can")
def test_another_user_runs_no_code_through_a_batch_at_work(at_work, tmp_path):
    batch, kernel, out = at_work
    python = next((str(p) for p in ("/usr/bin/python3", sys.executable) if Path(p).exists()), "python3")
    if subprocess.run([*NOBODY, python, "-c", ""], capture_output=True, cwd="/").returncode:
        pytest.skip("the other user has no Python")
    proof = Path(tempfile.gettempdir()) / f"proof-{kernel.pid}"
    order = [connection_of(kernel), str(out), kernel.cwd(), [place.port for place in listening(kernel)], str(proof)]
    command = [*NOBODY, python, "-c", ATTACK, json.dumps(order)]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=LIMIT)
    assert json.loads(done.stdout) == [], done.stderr
    assert kernel.is_running() and not proof.exists()
    root = subprocess.run([python, "-c", ATTACK, json.dumps(order)], capture_output=True, text=True, timeout=LIMIT)
    assert len(json.loads(root.stdout)) == 13  # the same tries succeed where they may


def test_what_a_batch_writes_is_as_private_as_its_user_asks(spec, start, monkeypatch):
    path, temporary, old = spec(matrix={"models": ["llama"]}), tempfile.mkdtemp(), os.umask(0o077)
    monkeypatch.setenv("TMPDIR", temporary)
    try:
        batch = start(path)
    finally:
        os.umask(old)
    _, err = batch.communicate(timeout=LIMIT)
    assert batch.returncode == 0, err
    out = read_spec(path).out
    files = [out, *(file for file in out.rglob("*") if file.relative_to(out).parts[0] != "notebooks")]  # copies of ours
    assert {"recognition.nc", "done.json", "log.txt"} <= {file.name for file in files}
    assert not [file for file in files if file.stat().st_mode & 0o077]
    assert not [name for name in os.listdir(temporary) if name.startswith("xlv-")]
    shutil.rmtree(temporary)


@pytest.mark.skipif(not shutil.which("openssl"), reason="a certificate is made by openssl")
def test_the_user_s_settings_of_tls_are_used(spec, tmp_path):
    dask = pytest.importorskip("distributed") and pytest.importorskip("dask")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    options = ("--tls-ca-file", str(certificate), "--tls-cert", str(certificate), "--tls-key", str(key))
    cluster = Cluster("tls", options)
    settings = {"ca-file": str(certificate), "client.cert": str(certificate), "client.key": str(key)}
    path, said = spec(notebooks=["idle"], matrix={"models": ["llama"]}), []
    runs = plan(read_spec(path))
    try:
        with dask.config.set({f"distributed.comm.tls.{name}": value for name, value in settings.items()}):
            cluster.ready(1)
            assert conduct(read_spec(path), runs, said.append, scheduler=cluster.address) == {} and runs[0].record()
        assert said[1].startswith(f"1 workers at tls://127.0.0.1:{cluster.address.rpartition(':')[2]}; ")
        with pytest.raises(ValueError, match="no Dask scheduler answers at tls://.*check your TLS"):
            conduct(read_spec(path), plan(read_spec(spec())), print, scheduler=cluster.address)
    finally:
        cluster.end()
