"""Who is compared: xlv, the paper's code, a reference, and peers, each with the Python it runs in."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = ROOT / "build" / "peers"


@dataclass(frozen=True)
class Contender:
    """A worker module and what it is called in tables; `peer` is the package of a peer, empty for our own modules."""

    name: str
    module: str
    peer: str = ""

    @property
    def python(self) -> Path:
        """The interpreter of its environment; a peer has one of its own."""
        return PEERS / self.peer / "bin" / "python" if self.peer else Path(sys.executable)

    @property
    def installed(self) -> bool:
        return self.python.exists() and (not self.peer or (PEERS / self.peer / "ready").exists())


def _peer(name: str) -> Contender:
    return Contender(name, f"with_{name.replace('-', '_')}", name)


OURS = Contender("xlv", "ours")
AUTHORS = Contender("authors' job", "authors")
REFERENCE = Contender("simple reference", "reference")
PLAIN = Contender("plain generate", "plain")
STEERING_PEERS = tuple(_peer(name) for name in ("steering-vectors", "repeng", "dialz"))
READING_PEERS = (*STEERING_PEERS, *(_peer(name) for name in ("nnterp", "transformer-lens")))


def present(contenders: tuple[Contender, ...]) -> tuple[list[Contender], list[str]]:
    """Those that are installed, and the names of those that are not."""
    return [c for c in contenders if c.installed], [c.name for c in contenders if not c.installed]


def install(contender: Contender, say=print) -> bool:
    """Install a peer into an environment of its own, `build/peers/NAME`; whether it worked.

    The environment sees this one's packages behind its own, so that PyTorch is not installed again; what clashes (an
    older transformers, say) is installed in front of it.
    """
    folder = PEERS / contender.peer
    (folder / "ready").unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    shared = Path(sys.prefix) / "lib" / version / "site-packages"
    (folder / "lib" / version / "site-packages" / "shared.pth").write_text(f"{shared}\n")
    wanted = ["torch==2.13.0", "--requirement", str(HERE / "peers" / f"{contender.peer}.txt")]
    log = folder / "install.log"
    with open(log, "w", encoding="utf-8") as out:
        command = [str(contender.python), "-m", "pip", "install", "--progress-bar", "off", *wanted]
        failed = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT).returncode
    if failed:
        say(f"{contender.name}: not installed, see {log.relative_to(ROOT)}")
        return False
    (folder / "ready").touch()
    say(f"{contender.name}: installed")
    return True
