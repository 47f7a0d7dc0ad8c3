"""What a run says while it works: a bar on a terminal, plain lines in a log file."""

import time
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

# In a log, at most one line in so many seconds.
_LINE_EVERY = 1.0


class Progress:
    """Progress of the studies of one run.

    Parameters
    ----------
    console : rich.console.Console
        Where to write.
    live : bool
        Whether configurations run one by one in this process: then the one shown is the one
        that runs now, otherwise the one that was finished last.
    """

    def __init__(self, console: Console, live: bool):
        self._console = console
        self._live = live

    def say(self, text: str) -> None:
        """Write a line above the bar."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def failure(self, finished) -> None:
        """Show a failed configuration with the end of its traceback; the rest is kept on disk."""
        task = finished.task
        last = finished.trace.strip().splitlines()[-1]
        self.say(f"{task.identity['study']}: FAILED {describe(task.configuration)}\n    {last}")

    @contextmanager
    def study(self, name: str, total: int, reused: int):
        """Show one study while its configurations run."""
        if self._console.is_terminal:
            with _bar(self._console) as bar:
                handle = bar.add_task(escape(name), total=total, completed=reused, current="")
                yield _BarSteps(bar, handle, self._live)
        else:
            self.say(f"{name}: {total} configurations, {reused} already stored")
            yield _LineSteps(self, name, total, reused)


def describe(configuration: dict, width: int = 70) -> str:
    """Write a configuration on one line, cut to `width` characters."""
    text = ", ".join(f"{key}={value}" for key, value in configuration.items())
    return text if len(text) <= width else text[: width - 3] + "..."


def _bar(console):
    return RichProgress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[current]}"),
        console=console,
    )


class _BarSteps:
    def __init__(self, bar, handle, live):
        self._bar, self._handle, self._live = bar, handle, live

    def starting(self, tasks):
        if not self._live:
            return tasks
        return self._one_by_one(tasks)

    def _one_by_one(self, tasks):
        for task in tasks:
            self._show(task)
            yield task

    def done(self, task):
        self._bar.advance(self._handle)
        if not self._live:
            self._show(task)

    def _show(self, task):
        self._bar.update(self._handle, current=escape(describe(task.configuration, 40)))


class _LineSteps:
    def __init__(self, progress, name, total, done):
        self._progress, self._name, self._total, self._done = progress, name, total, done
        self._computed = 0
        self._start = self._said = time.perf_counter()

    def starting(self, tasks):
        return tasks

    def done(self, task):
        self._done += 1
        self._computed += 1
        now = time.perf_counter()
        if now - self._said < _LINE_EVERY and self._done < self._total:
            return
        self._said = now
        elapsed = now - self._start
        left = elapsed / self._computed * (self._total - self._done)
        self._progress.say(
            f"{self._name}: {self._done}/{self._total}, {elapsed:.0f} s elapsed, about {left:.0f} s"
            f" left, last {describe(task.configuration)}"
        )
