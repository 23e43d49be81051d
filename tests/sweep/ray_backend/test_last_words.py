"""What Ray says of a worker that ended, in one sentence or in whole words."""

import pytest

from sweep.ray_backend.last_words import clipped, reason

DEAD = "The actor is dead because its worker process has died. Worker exit type:"
CAUSES = (
    "Some common causes include: (1) the process was killed by the OOM killer due to high memory usage, (2) ray stop "
    "--force was called, or (3) the worker crashed unexpectedly due to SIGSEGV or another unexpected error."
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            f"The actor died.\n\tpid: 7\n{DEAD} SYSTEM_ERROR Worker exit detail: Worker unexpectedly exits with a "
            f"connection error code 2. End of file. {CAUSES}",
            "it ended unexpectedly (killed, for want of memory or otherwise, or a crash)",
        ),
        (f"{DEAD} SYSTEM_ERROR", "it ended unexpectedly (killed, for want of memory or otherwise, or a crash)"),
        (f"{DEAD} USER_ERROR Worker exit detail: Worker exits with an exit code 3.\n", "it ended with exit code 3"),
        (f"{DEAD} SYSTEM_ERROR Worker exit detail: Worker exits with an exit code -9.\n", "it was ended by signal 9"),
        (f"{DEAD} INTENDED_SYSTEM_EXIT Worker exit detail: Worker exits by a request.\n", "Ray ended it"),
        (
            f"{DEAD} INTENDED_SYSTEM_EXIT\n{DEAD} USER_ERROR Worker exit detail: exit code 1",
            "it ended with exit code 1",
        ),
    ],
)
def test_an_end_is_told_in_one_sentence(said: str, told: str) -> None:
    assert reason(said) == told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("a short line", "a short line"),
        (f"{'word ' * 59}fits", f"{'word ' * 59}fits"),
        (f"{'word ' * 59}whole and more", f"{'word ' * 59}whole …"),
        (f"{'word ' * 59}longer and more", f"{'word ' * 58}word …"),
        ("x" * 999, "x" * 300 + " …"),
    ],
)
def test_a_long_line_ends_where_a_word_does(said: str, told: str) -> None:
    assert clipped(said) == told
