"""Part ``gpu``: the paths of ``speed`` and ``sparse`` on a GPU."""

from benchmarks.creative_segments.solvers import ask
from benchmarks.creative_segments.speed import HEADER, described, setting
from benchmarks.document import ratio, table

DENSE, SPARSE, PEOPLE = 300, 2_000, 1_000_000


def section(_: int) -> str:
    """The table, and how the dense path compares with the processor beside the GPU."""
    import torch

    device = torch.cuda.get_device_name()
    beside, dense, sparse = (
        ask("path", PEOPLE, DENSE),
        ask("gpu_path", PEOPLE, DENSE),
        ask("gpu_sparse_path", PEOPLE, SPARSE),
    )
    apart = abs(dense.answer["objective"] / beside.answer["objective"] - 1)
    return "\n\n".join(
        [
            setting(f"{DENSE} dense or {SPARSE:,} sparse covariates"),
            table(
                HEADER,
                [
                    described(f"{PEOPLE:,} x {DENSE}, processor", beside),
                    described(f"{PEOPLE:,} x {DENSE}, {device}", dense),
                    described(f"{PEOPLE:,} x {SPARSE:,} sparse, {device}", sparse),
                ],
            ),
            f"The GPU is {ratio(beside.seconds / dense.seconds)} times as fast as the processor beside it, and its "
            f"last objective differs by a share of {apart:.1e}. Times hold checking and scaling people on the "
            "processor and the copy to the GPU; peaks are of the processor's memory.",
        ]
    )
