"""Files of a small corpus."""

HEADER = "id\tgroup\torigin\tpositive\tnegative\n"


def write(folder, concept="kindness", code="en", rows=None, header=HEADER):
    rows = rows or [f"{k:02d}\tg{k // 2}\ten\tI helped neighbour {k}.\tI mocked neighbour {k}." for k in range(8)]
    path = folder / concept / f"{code}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    return path
