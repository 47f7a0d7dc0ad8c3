"""Where configurations are computed: in this process, in loky's processes, or on dask workers.

Each backend is a generator function ``backend(tasks) -> finished tasks, in any order``; the
results do not depend on which one is used because :func:`experiments._harness.runner.compute`
does the same everywhere.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from experiments._harness.runner import Finished, Task, compute

Execute = Callable[[list[Task]], Iterator[Finished]]


@contextmanager
def open_backend(name: str, n_jobs: int, scheduler: str | None = None):
    """Start the workers, give a function that runs tasks on them, and stop them again.

    Parameters
    ----------
    name : {"loky", "dask"}
        ``"loky"`` with one job runs in this process.
    n_jobs : int
        Number of worker processes; -1 for one on each core.
    scheduler : str, optional
        Address of a running dask scheduler, whose workers are used as they are.

    Yields
    ------
    callable
        ``execute(tasks)`` iterates over :class:`Finished` in the order of completion.
    """
    from joblib import effective_n_jobs

    n_jobs = effective_n_jobs(n_jobs)
    if name == "dask":
        with _dask_client(n_jobs, scheduler) as client:
            yield partial(_on_dask, client=client)
    elif n_jobs == 1:
        yield partial(map, compute)
    else:
        yield partial(_on_loky, n_jobs=n_jobs)


def _on_loky(tasks: list[Task], n_jobs: int) -> Iterator[Finished]:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    pending = {task.key: task for task in tasks}
    try:
        for finished in _pool(tasks, n_jobs):
            del pending[finished.task.key]
            yield finished
    except BrokenProcessPool:
        # A worker was killed (memory) or crashed. Which of the tasks in flight did it is
        # unknown, so the rest run one at a time: the next death has a name.
        for task in list(pending.values()):
            yield from _alone(task)


def _alone(task: Task) -> Iterator[Finished]:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        yield from _pool([task], n_jobs=2)  # with one job, joblib would stay in this process
    except BrokenProcessPool as error:
        yield Finished(task, None, f"The worker process died: {error}")


def _pool(tasks: list[Task], n_jobs: int) -> Iterator[Finished]:
    from joblib import Parallel, delayed, parallel_config

    # One task at a time: configurations are long beside the cost of a dispatch, and differ.
    with parallel_config(backend="loky", n_jobs=n_jobs, inner_max_num_threads=1):
        parallel = Parallel(batch_size=1, return_as="generator_unordered")
        yield from parallel(delayed(compute)(task) for task in tasks)


@contextmanager
def _dask_client(n_jobs: int, scheduler: str | None):
    from distributed import Client, LocalCluster

    if scheduler is not None:
        with Client(scheduler) as client:
            yield client
        return
    local = {"n_workers": n_jobs, "threads_per_worker": 1, "processes": True}
    # Any free port, for this machine only: the default one is taken as soon as two clusters run.
    local["dashboard_address"] = "127.0.0.1:0"
    with LocalCluster(**local) as cluster, Client(cluster) as client:
        yield client


def _on_dask(tasks: list[Task], client) -> Iterator[Finished]:
    from distributed import as_completed

    # pure=False: a configuration that failed must be computed again, not remembered.
    task_of = {client.submit(compute, task, pure=False): task for task in tasks}
    for future in as_completed(task_of):
        if future.status == "finished":
            yield future.result()
        else:
            yield Finished(task_of[future], None, f"The worker failed: {future.exception()!r}")
        future.release()
