"""The matmul peak of this machine: the most that the matrix products below can be had for, in useful GFLOP/s."""

import time

import torch

SHAPES = ((1024, 1024, 4096), (2048, 2048, 2048), (512, 2048, 8192))
REPEATS = 4


def peak(dtype: str) -> dict:
    """The best rate of several products of one dtype."""
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[dtype]
    return {"gflops": max(rate(*shape, kind) for shape in SHAPES)}


def rate(rows: int, inner: int, columns: int, kind: torch.dtype) -> float:
    left, right = torch.randn(rows, inner).to(kind), torch.randn(columns, inner).to(kind)
    torch.nn.functional.linear(left, right)
    start = time.perf_counter()
    for _ in range(REPEATS):
        torch.nn.functional.linear(left, right)
    return REPEATS * 2e-9 * rows * inner * columns / (time.perf_counter() - start)
