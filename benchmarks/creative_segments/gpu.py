"""Part ``gpu``: the paths of ``speed`` and ``sparse`` on a GPU, and on the processor beside it."""

from benchmarks.creative_segments.solvers import ask
from benchmarks.creative_segments.speed import HEADER, described, setting
from benchmarks.document import ratio, table

DENSE, SPARSE, PEOPLE = 300, 2_000, 1_000_000


def section(_: int) -> str:
    """The table by device, and how many times faster the GPU is."""
    import torch

    device = torch.cuda.get_device_name()
    rows, compared = [], []
    for covariates, host, gpu in ((DENSE, "path", "gpu_path"), (SPARSE, "sparse_path", "gpu_sparse_path")):
        beside, on_gpu = (ask(solver, PEOPLE, covariates) for solver in (host, gpu))
        kind = "dense" if covariates == DENSE else "sparse"
        rows += [
            described(f"{PEOPLE:,} x {covariates:,} {kind}, {where}", taken)
            for where, taken in (("processor", beside), (device, on_gpu))
        ]
        apart = abs(on_gpu.answer["objective"] / beside.answer["objective"] - 1)
        compared.append(f"{kind}: {ratio(beside.seconds / on_gpu.seconds)} times as fast, objectives {apart:.1e} apart")
    return "\n\n".join(
        [
            setting(f"{DENSE} dense or {SPARSE:,} sparse covariates"),
            table(HEADER, rows),
            f"The GPU against the processor beside it: {'; '.join(compared)}. Times hold the copy to the GPU.",
        ]
    )
