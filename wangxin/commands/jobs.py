"""rq jobs that failed, of all shops: for who keeps the installation running.

What a job does stands in PostgreSQL, so one that is dropped loses nothing: the ticker wakes the next.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from wangxin.commands.shell import AsJson, connected, fail, out

commands = typer.Typer()
log = logging.getLogger("wangxin.work")


@commands.command()
def jobs(
    again: Annotated[str, typer.Option(metavar="ID", help="Put this one back into its queue.")] = "",
    drop: Annotated[str, typer.Option(metavar="ID", help="Forget this one.")] = "",
    as_json: AsJson = False,
) -> None:
    """List rq jobs that failed in the last seven days, do one again or drop it. Each deed stands in the log.

    Example: [bold]wangxin jobs --again 5f0c…[/bold]
    """
    from wangxin.storage.valkey import VALKEY_DOWN, connect_blocking

    found = connected("jobs")
    assert found.valkey_url is not None, "the stores are known"
    try:
        connection = connect_blocking(found.valkey_url.get_secret_value())
        for id_, deed in ((again, requeue), (drop, forget)):
            if id_ and not deed(connection, id_):
                raise fail(f"There is no failed job {id_}.")
        left = failed_jobs(connection)
    except VALKEY_DOWN as why:
        raise fail(f"Valkey cannot be reached ({type(why).__name__}).") from None
    if as_json:
        typer.echo(json.dumps([asdict(job) for job in left], indent=2))
        return
    if not left:
        out.print("no failed jobs")
        return
    table = Table("id", "queue", "what", "error", "when", box=None)
    for job in left:
        when = datetime.fromtimestamp(job.at_ms / 1000, UTC).isoformat(timespec="seconds")
        table.add_row(job.id, job.queue, job.what, job.why, when)
    out.print(table)


@dataclass(frozen=True, slots=True)
class FailedJob:
    """``why``: the kind of the error, without its words."""

    id: str
    queue: str
    what: str
    why: str
    at_ms: int


def kind_of(trace: str) -> str:
    """The error's class, of the last line of a traceback that names one; empty: none does."""
    for line in reversed(trace.strip().splitlines()):
        found = re.match(r"([A-Za-z_][A-Za-z0-9_.]*)(:|$)", line)
        if found:
            return found[1].rsplit(".", 1)[-1]
    return ""


def failed_jobs(connection: Any) -> list[FailedJob]:
    """The newest first."""
    from rq.exceptions import NoSuchJobError
    from rq.job import Job
    from rq.serializers import JSONSerializer

    found = []
    for queue in _queues(connection):
        for id_ in queue.failed_job_registry.get_job_ids():
            try:
                job = Job.fetch(id_, connection=connection, serializer=JSONSerializer)
            except NoSuchJobError:  # it was just forgotten
                continue
            result = job.latest_result()
            ended = job.ended_at or job.enqueued_at
            found.append(
                FailedJob(
                    id_, queue.name, (job.func_name or "").rsplit(".", 1)[-1],
                    kind_of((result.exc_string if result else "") or ""),
                    int(ended.timestamp() * 1000) if ended else 0,
                )
            )  # fmt: skip
    return sorted(found, key=lambda job: job.at_ms, reverse=True)


def requeue(connection: Any, id_: str) -> bool:
    """Put it back into its queue; whether there was such a job."""
    return _do(connection, id_, "again", lambda queue: queue.failed_job_registry.requeue(id_))


def forget(connection: Any, id_: str) -> bool:
    """Forget it; whether there was such a job."""
    return _do(connection, id_, "dropped", lambda queue: queue.failed_job_registry.remove(id_, delete_job=True))


def _do(connection: Any, id_: str, what: str, deed: Any) -> bool:
    for queue in _queues(connection):
        if id_ in queue.failed_job_registry.get_job_ids():
            deed(queue)
            log.info("failed job %s: %s by hand", id_, what)
            return True
    return False


def _queues(connection: Any) -> list[Any]:
    from rq import Queue
    from rq.serializers import JSONSerializer

    from wangxin.work import MEDIA_QUEUE, QUEUE

    return [Queue(name, connection=connection, serializer=JSONSerializer) for name in (QUEUE, MEDIA_QUEUE)]
