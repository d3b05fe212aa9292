"""The one place that chooses the dataframe engine: threads of this process, a GPU, or a cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import dask
import dask.dataframe
import dask.threaded
import pyarrow as pa

from causal_tasks.errors import ConfigurationError
from causal_tasks.settings import Settings

_DASK = {
    # Measured against the disk shuffle on threads and against p2p on a local cluster: fewest CPU seconds of the three.
    "dataframe.shuffle.method": "tasks",
    # The readers give every column the type it keeps; dask's own conversion would copy text columns.
    "dataframe.convert-string": False,
}


@dataclass(frozen=True, slots=True)
class Engine:
    """Where partitions live and who works on them.

    Attributes:
        device: ``cpu`` keeps partitions in pandas, ``cuda`` in cudf.
        threads: Threads of this process that work on partitions.
        client: Client of the cluster that does it instead; None without one.
    """

    device: str
    threads: int
    client: Any = None

    def share(self, value: Any) -> Any:
        """``value``, placed once on every worker, to be handed to :func:`read` in place of itself."""
        return self.client.scatter(value, broadcast=True) if self.client else value

    def compute(self, frame: Any) -> Any:
        """A dask dataframe's rows as one pandas frame, in the order of its partitions."""
        return (frame.to_backend("pandas") if self.device == "cuda" else frame).compute()


def on_device(table: pa.Table, device: str) -> Any:
    """A pyarrow table as a frame of the device: cudf on ``cuda``, else pandas."""
    if device == "cuda":
        import cudf

        return cudf.DataFrame.from_arrow(table)
    return table.to_pandas()


@contextmanager
def connect(settings: Settings) -> Iterator[Engine]:
    """The engine that the settings ask for, until the block ends.

    Raises:
        ConfigurationError: A GPU or a cluster is asked for and there is none.
    """
    if settings.device == "cuda":
        require_gpu()
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(_DASK))
        client = None
        if settings.cluster:
            client = stack.enter_context(_client(settings.cluster))
        elif settings.device == "cuda":
            client = stack.enter_context(_client(stack.enter_context(_gpu_cluster())))
        else:
            # The scheduler itself, not its name: looking that up imports distributed, most of a small join's time.
            stack.enter_context(dask.config.set(scheduler=dask.threaded.get, num_workers=settings.threads))
        yield Engine(settings.device, settings.threads, client)


@contextmanager
def _client(address: Any) -> Iterator[Any]:
    from distributed import Client

    try:
        client = Client(address)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError) as error:
        raise ConfigurationError(
            f"no Dask scheduler answers at {address!r}", remedy="start it, or correct or unset CAUSAL_CLUSTER"
        ) from error
    with client:
        yield client


def _gpu_cluster() -> Any:
    try:
        from dask_cuda import LocalCUDACluster
    except ImportError as error:
        raise ConfigurationError(
            "device is cuda, but dask-cuda is not installed", remedy="run in the GPU image, or set CAUSAL_DEVICE=cpu"
        ) from error
    return LocalCUDACluster(enable_cudf_spill=True, rmm_pool_size=0.9)


def require_gpu() -> None:
    """Prove that cudf can use a GPU: importing it succeeds without one.

    Raises:
        ConfigurationError: cudf is not installed or finds no GPU that works.
    """
    remedy = "set CAUSAL_DEVICE=cpu, or run in the GPU image on a machine with an NVIDIA driver"
    try:
        import cudf

        cudf.Series([1]).sum()
    except ImportError as error:
        raise ConfigurationError("device is cuda, but cudf is not installed", remedy=remedy) from error
    except Exception as error:
        # Driver, NVML, allocator and loader each have their own exception classes, none of them shared.
        raise ConfigurationError(
            f"device is cuda, but no GPU works here ({type(error).__name__}: {error})", remedy=remedy
        ) from error


def read(chunks: Sequence[Any], load: Callable[..., Any], *, meta: Any, **shared: Any) -> Any:
    """A dask dataframe whose partitions are read by ``load``, one chunk each.

    Args:
        chunks: What one call of ``load`` reads; at least one.
        load: ``load(chunk, **shared)`` returns a frame on the engine's device.
        meta: An empty frame of the same columns and types.
        shared: Arguments that all calls have in common, large ones through :meth:`Engine.share`.
    """
    make: Any = dask.dataframe.from_map
    return make(load, chunks, meta=meta, enforce_metadata=False, **shared)


def gather(frame: Any, *, key: str, bounds: Sequence[int]) -> Any:
    """Move every row to the partition whose bounds its key lies in, sorted by key, which becomes the index.

    Args:
        frame: A dask dataframe.
        key: An integer column.
        bounds: n + 1 ascending integers for n partitions: ``bounds[i] <= key < bounds[i + 1]``.
    """
    return frame.set_index(key, divisions=list(bounds))


def map_together(function: Callable[..., Any], first: Any, *others: Any, **fixed: Any) -> Any:
    """The dask dataframe of ``function(partition of first, partition of each other, **fixed)``, partition by partition.

    Its columns and types are those that ``function`` makes of empty partitions.
    """
    empty = [frame._meta for frame in (first, *others)]  # noqa: SLF001 - dask offers columns and types nowhere else
    return first.map_partitions(function, *others, meta=function(*empty, **fixed), align_dataframes=False, **fixed)


def slices(rows: int, count: int) -> list[range]:
    """Cut positions 0 to ``rows`` - 1 into at most ``count`` ranges, each worked on alone to bound memory."""
    size = max(1, -(-rows // count))
    return [range(first, min(first + size, rows)) for first in range(0, rows, size)]
