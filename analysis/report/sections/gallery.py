"""Section: samples of first, middle and last generation side by side: text, pictures, molecules."""

from __future__ import annotations

import base64
from html import escape

from analysis.data import Shown, samples
from analysis.report.context import ReportContext, Section

BUDGET = 1_500_000
"""Bytes of samples on the page."""
_TEXT = 1200
_PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif"}


def build(study: ReportContext) -> Section | None:
    """What the store's records hold to be looked at; nothing without a store."""
    if study.store is None:
        return None
    found = samples(study.frame, study.store)
    parts, spent = [], 0
    for shown in found:
        markup = _figure(study, shown)
        if markup and spent + len(markup) <= BUDGET:
            parts.append(markup)
            spent += len(markup)
    if not parts:
        return None
    left = len(found) - len(parts)
    text = ["First, middle and last generation of one cell per policy, the same cell and seed for each."]
    if left:
        text.append(f"{left} more are left out to keep the page small; they are in the store.")
    return Section("samples", "Samples", text, html=f'<div class="samples">{"".join(parts)}</div>')


def _figure(study: ReportContext, shown: Shown) -> str:
    """One generation's files; of the same sample as picture and as data, the picture."""
    names = sorted(shown.files)
    pictures = [n for n in names if _ending(n) in _PICTURES]
    chosen = pictures or [n for n in names if _ending(n) in (".txt", ".sdf", ".json", ".smi")]
    body = "".join(_file(name, shown.files[name]) for name in chosen)
    if not body:
        return ""
    head = f"<b>{escape(shown.policy)}</b>, generation {shown.generation}"
    return f"<figure><figcaption>{head}<small>{escape(study.titles[shown.config])}</small></figcaption>{body}</figure>"


def _file(name: str, data: bytes) -> str:
    kind = _PICTURES.get(_ending(name))
    if kind:
        source = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        return f'<img src="{source}" alt="{escape(name)}" loading="lazy">'
    text = data.decode("utf-8", "replace")
    cut = text[:_TEXT] + (" …" if len(text) > _TEXT else "")
    return f"<pre>{escape(cut)}</pre>"


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2].lower()}"
