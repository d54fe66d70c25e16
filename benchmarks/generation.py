"""Steered generation: what adding vectors costs compared with plain `generate`, ours and the peers', interleaved."""

import tempfile
from pathlib import Path

import numpy as np
from transformers import AutoConfig, AutoTokenizer

from benchmarks.contenders import OURS, PLAIN, STEERING_PEERS, present
from benchmarks.extraction import Say, _Workers
from benchmarks.measures import interleaved, shared, summary
from benchmarks.protocol import WorkerError
from benchmarks.workload import shared_folder
from xlv.corpus.pairs import load_instructions

STRENGTH = 4.0  # times a unit vector at each layer of the middle third: enough to change what is said
OURS_ALSO = {  # by our worker too: what is asked of it otherwise
    "xlv, unsteered": {"strength": 0.0},
    "xlv, gate shut": {"gate": 0.0},
    "xlv, gate half open": {"gate": 0.5},
    "xlv, gate open": {"gate": 1.0},
}


def prompts_of(folder: Path, count: int) -> list[str]:
    """Harmless instructions of the control set under the model's chat template."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = load_instructions("en", limit=count)["harmless"]
    return [
        tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True)
        for text in texts
    ]


def unit_vectors(folder: Path) -> np.ndarray:
    """Random unit vectors `[layer, d_model]` at the middle third of the layers, zero elsewhere."""
    config = AutoConfig.from_pretrained(folder)
    vectors = np.random.default_rng(0).standard_normal((config.num_hidden_layers, config.hidden_size))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    third = config.num_hidden_layers // 3
    vectors[:third] = vectors[-third:] = 0
    return vectors.astype(np.float32)


def compare(model: str, dtype: str, *, prompts: int, tokens: int, repeats: int, threads: int, say: Say) -> dict:
    """Tokens per second of plain and steered generation of one batch, and how many completions equal ours.

    Ours also under gates that open for none, half and all of the prompts: what these cost is seen beside `xlv,
    unsteered` and `xlv`, in the same rounds and process.
    """
    folder = shared_folder(model)
    there, missing = present((PLAIN, OURS, *STEERING_PEERS))
    failures: dict[str, str] = {}
    texts = prompts_of(folder, prompts)
    completions, versions = {}, {}
    with tempfile.TemporaryDirectory() as scratch, _Workers(threads) as workers:
        vectors = Path(scratch) / "vectors.npy"
        np.save(vectors, unit_vectors(folder))
        ask = {"prompts": texts, "tokens": tokens, "vectors": str(vectors), "strength": STRENGTH}
        for contender in there:
            try:
                worker = workers.start(contender)
                packages = [contender.peer, "transformers", "torch"]
                loaded = worker.ask("load", folder=str(folder), dtype=dtype, packages=packages)
                versions[contender.name] = loaded["versions"]
                for name, more in {contender.name: {}, **(OURS_ALSO if contender is OURS else {})}.items():
                    completions[name] = worker.ask("generate", **ask | more)["completions"]
                say(f"  {contender.name}: ready")
            except WorkerError as error:
                failures[contender.name] = str(error)
                workers.drop(contender.name)
                say(f"  {error}")

        def once(name: str) -> float:
            worker = workers[OURS.name if name in OURS_ALSO else name]
            seconds = worker.ask("generate", **ask | OURS_ALSO.get(name, {}))["seconds"]
            say(f"  {name}: {prompts * tokens / seconds:.1f} tokens/s")
            return seconds

        times = interleaved(list(completions), repeats, once, lambda name, e: failures.update({name: str(e)}))
    plain = summary(times[PLAIN.name])["seconds"] if PLAIN.name in times else float("nan")
    rows = {}
    for name, seconds in times.items():
        found = summary(seconds)
        rows[name] = {
            **found,
            "versions": versions.get(name, {}),
            "tokens_per_second": prompts * tokens / found["seconds"],
            "of_plain": plain / found["seconds"],
            "like_ours": shared(completions[name], completions[OURS.name]),
        }
    return {
        "model": model,
        "dtype": dtype,
        "prompts": prompts,
        "tokens": tokens,
        "rows": rows,
        "not_installed": missing,
        "failed": failures,
    }
