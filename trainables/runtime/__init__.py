"""How things run on this machine: device, threads, memory maps, provenance. Never part of an identity."""

from trainables.runtime.capture import Captured, compiled_once, forget, warn_once
from trainables.runtime.device import DEVICE, THREADS, pick_device
from trainables.runtime.generators import isolated, seeded
from trainables.runtime.memory_maps import open_map, touched
from trainables.runtime.optional import require, required_by, required_version
from trainables.runtime.processes import gone, machine
from trainables.runtime.provenance import COMMIT, current_provenance
from trainables.runtime.redaction import has_password, redact, redact_urls
from trainables.runtime.servers import NotAsked, check_dataset, check_place, unasked
from trainables.runtime.sqlite_uris import sqlite_file, sqlite_uri
from trainables.runtime.whole_files import write_whole

__all__ = [
    "COMMIT",
    "DEVICE",
    "THREADS",
    "Captured",
    "NotAsked",
    "check_dataset",
    "check_place",
    "compiled_once",
    "current_provenance",
    "forget",
    "gone",
    "has_password",
    "isolated",
    "machine",
    "open_map",
    "pick_device",
    "redact",
    "redact_urls",
    "require",
    "required_by",
    "required_version",
    "seeded",
    "sqlite_file",
    "sqlite_uri",
    "touched",
    "unasked",
    "warn_once",
    "write_whole",
]
