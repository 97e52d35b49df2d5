"""Timelines in the Chrome trace format, which Perfetto opens.

Each policy of each world is a process, each device a thread of its computations; transfers are
asynchronous slices, since they overlap. Time is in microseconds, as the format wants it.
"""

from typing import Any

import pandas as pd

REQUESTS_SHOWN = 50
"""A timeline shows the first requests of a replication: enough to see, small enough to open."""

Event = dict[str, Any]


def timeline_events(steps: pd.DataFrame, policy: str, process: int) -> list[Event]:
    """Return the events of the first `REQUESTS_SHOWN` requests in ``steps``, as ``process``."""
    shown = steps[steps["request"] < REQUESTS_SHOWN]
    if shown.empty:
        return []
    threads: dict[str, int] = {}
    events = [_named("process_name", f"{shown['world'].iloc[0]}: {policy}", process, 0)]
    for row in shown.itertuples():
        track = row.node if row.kind == "compute" else f"{row.source} to {row.target}"
        if track not in threads:
            threads[track] = len(threads) + 1
            events.append(_named("thread_name", track, process, threads[track]))
        events.extend(_slices(row, process, threads[track]))
    return events


def _named(kind: str, name: str, process: int, thread: int) -> Event:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def _slices(row: Any, process: int, thread: int) -> list[Event]:  # noqa: ANN401 - pandas' row
    event = {
        "name": row.stage,
        "cat": row.kind,
        "pid": process,
        "tid": thread,
        "args": {"request": row.request, "step": row.step, "outcome": row.outcome},
    }
    begin_us, end_us = row.start_s * 1e6, row.end_s * 1e6
    if row.kind == "compute":
        return [{**event, "ph": "X", "ts": begin_us, "dur": end_us - begin_us}]
    event["id"] = f"{process}.{row.request}.{row.attempt}.{row.step}"
    return [{**event, "ph": "b", "ts": begin_us}, {**event, "ph": "e", "ts": end_us}]
