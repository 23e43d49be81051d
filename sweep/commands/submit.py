"""`collapse-sweep submit`: a study sent to a cluster's head, which runs it through Ray Jobs and needs us no longer."""

from __future__ import annotations

import asyncio
import logging
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import yaml

from search_spaces import Study, load_study
from sweep.commands.outcome import DONE, INCOMPLETE, say
from sweep.errors import UsageError
from sweep.ray_backend import packed, send_token
from sweep.resources import Machines
from sweep.streams import unread
from trainables.runtime import has_password

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

FILE = "study.yaml"

PATIENCE = 120.0
"""Seconds that a head may take to be ready for jobs."""

BUSY = "No available agent"
"""What a head says that is not ready yet."""


def submit(
    reference: str,
    overrides: Sequence[str],
    machines: Machines,
    workspace: str,
    storage: str | None,
    tracking_uri: str | None,
    follow: bool,
) -> int:
    """Send a study to the head at `machines.address`; print the job's id and, with `follow`, what it says.

    Returns:
        The exit code of the run, where it was followed to its end.

    Raises:
        StudyError: there is no such study, or it is wrong.
        UsageError: the head can't be reached, or a URL holds a password.
    """
    study = load_study(reference, overrides)
    places = {"--workspace": workspace, "--storage": storage, "--tracking-uri": tracking_uri}
    command = entrypoint(machines, {name: value for name, value in places.items() if value})
    address = str(machines.address)
    client = _client(address)
    with packed() as parcel:
        _add(study, parcel)
        job = _send(client, address, command, parcel, study.name)
    print(job, flush=True)
    again = shlex.join(["ray", "job", "logs", "--follow", "--address", address, job])
    if not follow:
        say(f"{study.name} was sent to {address}; follow it with: {again}")
        return DONE
    try:
        asyncio.run(_follow(client, job))
    except KeyboardInterrupt:
        stop = shlex.join(["ray", "job", "stop", "--address", address, job])
        say(f"the job goes on; follow it with: {again}; stop it with: {stop}")
        return INCOMPLETE
    return DONE if unread() else _ended(client, job)


def entrypoint(machines: Machines, places: dict[str, str]) -> str:
    """The command that the head runs.

    Raises:
        UsageError: a place's URL holds a password: Ray shows commands to whoever may see its pages.
    """
    words = ["python", "-m", "sweep", "run", FILE, "--address", "auto"]
    for name, value in places.items():
        if has_password(value):
            raise UsageError(f"{name}: a password in a URL would be shown by Ray's pages; keep it on the head instead")
        words += [name, value]
    words += ["--cpus", str(machines.cpus)] if machines.cpus else []
    words += ["--shared-storage"] if machines.shared else []
    words += ["--wait"] if machines.wait else []
    return shlex.join(words)


def _add(study: Study, parcel: Path) -> None:
    """The study in full, as overrides and functions have made it."""
    text = yaml.safe_dump(study.canonical(), sort_keys=False, allow_unicode=True)
    (parcel / FILE).write_text(text, encoding="utf-8")


def _client(address: str) -> JobSubmissionClient:
    if urlsplit(address).scheme not in ("http", "https"):
        raise UsageError(f"--address {address}: the head's page is needed, as in http://127.0.0.1:8265")
    send_token()
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        return JobSubmissionClient(address)
    except AuthenticationError:
        raise UsageError(
            f"--address {address}: the head asks for the cluster's token; copy it to ~/.ray/auth_token, or name "
            "its file in RAY_AUTH_TOKEN_PATH"
        ) from None
    except (ConnectionError, RuntimeError, ImportError) as problem:
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise UsageError(
            f"--address {address}: no head takes jobs there ({reason}); for a cluster behind SSH, forward its page "
            "first: ray dashboard cluster.yaml"
        ) from None


def _send(client: JobSubmissionClient, address: str, command: str, parcel: Path, name: str) -> str:
    """Hand the job over; a head that has just been started takes none for a while."""
    setting, deadline = {"working_dir": str(parcel)}, time.monotonic() + PATIENCE
    while True:
        try:
            job: str = client.submit_job(entrypoint=command, runtime_env=setting, metadata={"study": name})
            return job
        except RuntimeError as problem:
            if BUSY not in str(problem) or time.monotonic() > deadline:
                reason = " ".join(str(problem).split())[:300]
                raise UsageError(f"--address {address}: the head takes no job: {reason}") from None
            time.sleep(2.0)


async def _follow(client: JobSubmissionClient, job: str) -> None:
    async for lines in client.tail_job_logs(job):
        print(lines, end="", flush=True)
        if unread():
            return


def _ended(client: JobSubmissionClient, job: str) -> int:
    about = client.get_job_info(job)
    code = about.driver_exit_code
    if code is None:
        say(f"the job is {about.status}: {about.message or 'no reason was given'}")
        return INCOMPLETE
    return int(code)
