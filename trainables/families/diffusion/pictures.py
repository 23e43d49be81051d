"""Sampled conformers to look at: an SD file, and a drawing of each beside its real counterpart."""

from __future__ import annotations

import io
from typing import Any

from trainables.families.diffusion.config import DRAWN, IN_FILE
from trainables.families.diffusion.evaluate import Judged
from trainables.families.shown_files import shown
from trainables.sources.molecules import to_mol

SIDE = 200
"""Pixels of a molecule's picture."""


def files(molecules: list[Judged]) -> dict[str, bytes]:
    """`samples.sdf`, all conformers sampled for the first molecules; `samples.png`, real ones over sampled ones.

    Either is left out where RDKit can't make it, as it can't draw a sample whose bonded atoms coincide, nor anything on
    a server without X libraries.
    """
    found = shown("samples.sdf", lambda: _sdf(molecules[:IN_FILE]))
    return found | shown("samples.png", lambda: _png(molecules[:DRAWN]))


def _sdf(molecules: list[Judged]) -> bytes:
    from rdkit import Chem

    text = io.StringIO()
    with Chem.SDWriter(text) as writer:
        for molecule in molecules:
            mol = to_mol(molecule.graph, molecule.made)
            mol.SetProp("_Name", Chem.MolToSmiles(Chem.RemoveHs(mol)))
            for conformer in mol.GetConformers():
                mol.SetProp("sample", str(conformer.GetId()))
                writer.write(mol, confId=conformer.GetId())
    return text.getvalue().encode()


def _png(molecules: list[Judged]) -> bytes:
    """Each real conformer seen along its shortest axis, and below it the first sample turned onto it."""
    from rdkit.Chem import rdMolAlign, rdMolTransforms
    from rdkit.Chem.Draw.rdMolDraw2D import MolDraw2DCairo

    pictures = []
    for molecule in molecules:
        pair = to_mol(molecule.graph, [molecule.real[0], molecule.made[0]])
        rdMolTransforms.CanonicalizeConformer(pair.GetConformer(0))
        rdMolAlign.AlignMol(pair, pair, 1, 0, atomMap=[(i, i) for i in range(pair.GetNumAtoms())])
        pictures.append(pair)
    canvas = MolDraw2DCairo(SIDE * len(pictures), 2 * SIDE, SIDE, SIDE)
    options: Any = canvas.drawOptions()
    options.prepareMolsBeforeDrawing = False
    options.legendFontSize = 24
    legends = ["real"] * len(pictures) + ["sampled"] * len(pictures)
    canvas.DrawMolecules(pictures * 2, legends=legends, confIds=[0] * len(pictures) + [1] * len(pictures))
    canvas.FinishDrawing()
    data: bytes = canvas.GetDrawingText()
    return data
