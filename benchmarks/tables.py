"""What `make bench` measured, as tables and a figure: for the terminal and for the book's page alike."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from xlv.edition.book import repository
from xlv.models.presets import caption
from xlv.report.drawing import MODEL_COLOURS, legend_below, panels
from xlv.report.formats import plain

FILE = "benchmark.json"
OURS, AUTHORS, PLAIN = "xlv", "authors' job", "plain generate"


def load_benchmark(path: Path | None = None) -> dict:
    """The measurements of `path`, default those committed with the book; ValueError where there are none."""
    path = path or repository() / "book" / "results" / FILE
    if not path.is_file():
        raise ValueError(f"no measurements in {path}: run `make bench` first")
    return json.loads(path.read_text(encoding="utf-8"))


def sections(data: dict, part: str) -> list[dict]:
    """The sections of one part of a run, in the order measured."""
    return [section for name, section in data["sections"].items() if name.startswith(f"{part}: ")]


def machine_table(data: dict) -> pd.Series:
    """What the numbers were measured on and with."""
    fields = {**data["machine"], "bf16": ", ".join(data["machine"]["bf16"]) or "no instructions for it"}
    return pd.Series({name.replace("_gb", ", GB").replace("_", " "): value for name, value in fields.items()}, name="")


def reading_table(section: dict) -> pd.DataFrame:
    """One model and dtype, one row per contender: rates, share of the matmul peak, memory, time relative to ours."""
    ours = section["rows"].get(OURS, {}).get("seconds", np.nan)
    rows = {
        _with_version(name, row): {
            "sentences/s": plain(row["sentences"], 1),
            "tokens/s": plain(row["tokens_per_second"], 0),
            "GFLOP/s": plain(row["gflops"], 0),
            "% of peak": plain(100 * row["of_peak"], 0),
            "MB": plain(_mega(row["over_weights_bytes"]), 0),
            "× xlv's time": plain(row["seconds"] / ours),
            "differs by": f"{row['deviation']:.0e}",
            "agrees": "yes" if row["agrees"] else "NO",
        }
        for name, row in section["rows"].items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def extraction_tables(data: dict) -> dict[str, pd.DataFrame]:
    """All readers on every model and dtype, one table for each."""
    return {f"{caption(s['model'])}, {s['dtype']}": reading_table(s) for s in sections(data, "extraction")}


def answer(data: dict) -> str:
    """Extraction in words: ours against the authors' job, against the fastest other reader, and the matmul peak."""
    speedup, found, lines = speedup_table(data), sections(data, "extraction"), []
    authors = {s["model"]: s["rows"][AUTHORS]["seconds"] for s in found if AUTHORS in s["rows"]}
    for s in found:
        ours, rows = s["rows"][OURS], s["rows"]
        least = s["once_gflop"] / s["peak_gflops"]
        others = {name: row["seconds"] for name, row in rows.items() if name not in (OURS, AUTHORS)}
        nearest = min(others, key=others.get)
        lines.append(
            f"- **{caption(s['model'])}, {s['dtype']}**: {ours['sentences']:.1f} sentences/s at "
            f"{100 * ours['of_peak']:.0f} % of the measured matmul peak ({s['peak_gflops']:.0f} GFLOP/s), "
            f"{100 * least / ours['seconds']:.0f} % with shared beginnings counted once; "
            f"{speedup.loc[caption(s['model']), s['dtype']]:.1f} times as fast as the authors' whole job in fp32, "
            f"where the peak alone would allow {authors.get(s['model'], np.nan) / least:.1f}, and "
            f"{others[nearest] / ours['seconds']:.2f} times as fast as the nearest other, {nearest}."
        )
    return "\n".join(lines)


def _with_version(name: str, row: dict) -> str:
    return f"{name} {row['versions'][name]}" if name in row["versions"] and name != OURS else name


def _mega(size: int | None) -> float:
    return np.nan if size is None else size / 1e6


def speedup_table(data: dict) -> pd.DataFrame:
    """How many times as fast ours is as the authors' whole job in fp32, by model and by our dtype."""
    found = sections(data, "extraction")
    seconds = {(s["model"], s["dtype"]): {n: r["seconds"] for n, r in s["rows"].items()} for s in found}
    rows: dict[str, dict[str, float]] = {}
    for (model, dtype), times in seconds.items():
        authors = seconds.get((model, "fp32"), {}).get(AUTHORS, np.nan)
        rows.setdefault(caption(model), {})[dtype] = authors / times.get(OURS, np.nan)
    return pd.DataFrame.from_dict(rows, orient="index").round(1)


def steering_tables(data: dict) -> dict[str, pd.DataFrame]:
    """Plain and steered generation, one table for each model and dtype."""
    return {f"{caption(s['model'])}, {s['dtype']}": generation_table(s) for s in sections(data, "generation")}


def shown(table: pd.DataFrame) -> pd.DataFrame | Markdown:
    """The table, or a sentence where a run left that part out."""
    return table if len(table) else Markdown("Not measured in this run.")


def listed(tables: dict[str, pd.DataFrame]) -> None:
    """Show tables, each below its title; a sentence where a run left that part out."""
    for title, table in tables.items():
        display(Markdown(f"**{title}**"), table)
    if not tables:
        display(shown(pd.DataFrame()))


def generation_table(section: dict) -> pd.DataFrame:
    """Plain and steered generation at one batch and dtype: tokens per second, and relative to plain."""
    rows = {
        _with_version(name, row): {
            "tokens/s": plain(row["tokens_per_second"], 1),
            "% of plain": plain(100 * row["of_plain"], 1),
            "completions like xlv's": "" if name == PLAIN else f"{100 * row['like_ours']:.0f} %",
        }
        for name, row in section["rows"].items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def analysis_table(data: dict) -> pd.DataFrame:
    """Questions 1 to 3 on planted states of a shape: seconds and peak memory of the whole process."""
    rows = {
        caption(s["title"]): {
            "concepts": s["concepts"],
            "languages": s["languages"],
            "layers": s["layers"],
            "width": s["width"],
            "pairs": s["pairs"],
            "seconds": plain(s["seconds"], 1),
            "peak GB": plain((s["peak_bytes"] or np.nan) / 1e9),
        }
        for s in [*sections(data, "analysis"), *sections(data, "large")]
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def growth_table(data: dict) -> pd.DataFrame:
    """Straight lines of our seconds: what one more text, language or thousand tokens costs, and how well they fit."""
    rows = {
        (caption(s["model"]), kind): {
            "one more costs, ms": plain(1000 * fit["slope"]),
            "at none, ms": plain(1000 * fit["start"], 0),
            "R²": plain(fit["r2"], 3),
        }
        for s in sections(data, "growth")
        for kind, fit in s["fits"].items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def growth_figure(data: dict) -> Figure:
    """Seconds of extraction against the number of useful tokens, by more texts and by more languages."""
    found = sections(data, "growth")
    figure, axes = panels(len(found), 2.6, share=False, xlabel="useful tokens", ylabel="seconds")
    for panel, section in zip(axes, found, strict=True):
        for kind, colour, marker in zip(("texts", "languages"), MODEL_COLOURS, "o^", strict=False):
            rows = [row for row in section["rows"] if row["kind"] == kind]
            tokens, seconds = [row["tokens"] for row in rows], [row["seconds"] for row in rows]
            panel.plot(tokens, seconds, marker, color=colour, label=f"more {kind}")
        if fit := section["fits"].get("tokens"):
            ends = np.array([0, max(row["tokens"] for row in section["rows"])])
            panel.plot(ends, fit["start"] + fit["slope"] * ends, color="#8a8a8a", lw=1, label="straight line")
        panel.set(title=caption(section["model"]), xlim=(0, None), ylim=(0, None))
    legend_below(figure)
    return figure


def left_out(data: dict) -> str:
    """In words: who was not installed, who failed and why, and whose states differ from the reference's."""
    lines: dict[str, None] = {}
    for section in [*sections(data, "extraction"), *sections(data, "generation")]:
        where = f"{section['model']}, {section['dtype']}"
        lines.update(dict.fromkeys(f"- {name}: not installed" for name in section["not_installed"]))
        lines.update(dict.fromkeys(f"- {where}: {reason}" for reason in section["failed"].values()))
        disagree = [n for n, row in section["rows"].items() if not row.get("agrees", True)]
        lines.update(dict.fromkeys(f"- {where}: the states of {name} differ from the reference's" for name in disagree))
    return "\n".join(lines) or "Everybody was installed, ran through, and read the same states."


def printed(data: dict) -> str:
    """All tables of a run as plain text."""
    parts = [f"machine\n{machine_table(data).to_string()}"]
    for s in sections(data, "extraction"):
        head = f"extraction: {s['model']} {s['dtype']}, {s['texts']} texts, {s['tokens']} useful tokens"
        parts.append(f"{head}, matmul peak {s['peak_gflops']:.0f} GFLOP/s\n{reading_table(s).to_string()}")
    tables = {
        "xlv against the authors' whole job in fp32, times as fast": speedup_table(data),
        "growth of extraction": growth_table(data),
        **{f"generation: {s['model']} {s['dtype']}": generation_table(s) for s in sections(data, "generation")},
        "analysis": analysis_table(data),
    }
    parts += [f"{title}\n{table.to_string()}" for title, table in tables.items() if len(table)]
    return "\n\n".join([*parts, left_out(data)])
