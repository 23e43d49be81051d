#!/usr/bin/env bash
# rdkit 2026.9.1: `MolFromSmiles` reads up to the first space, so that "CCO )))(" is a valid molecule, and so is the empty
# text.
#
# Guess before running: a text with anything in it that is no SMILES is invalid and gives None, as "CCO)))(" does; so does no
# text.
# Seen: what follows a space, a tab or a line break is the molecule's name, whatever it holds (but for `|`, which begins an
# extension); "" is a molecule of no atoms. With `SmilesParserParams.parseName = False` a space or a tab makes it invalid, a
# line break does not.
# Output seen: "'CCO)))(': invalid, strictly invalid", "'CCO )))(': 3 atoms, strictly invalid", likewise after a tab,
# "'CCO\\n)))(': 3 atoms, strictly 3 atoms", "'': 0 atoms, strictly 0 atoms".
# Who it hits: validity of molecules that language models write: one that babbles on after a space, or stops at once, counts as
# all valid. Refuse white space, and molecules without atoms.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rdkit==2026.9.1 numpy==2.4.6 2> /dev/null
cat > "$folder/validity.py" <<'P'
from rdkit import Chem, rdBase

rdBase.DisableLog("rdApp.*")
TEXTS = ("CCO)))(", "CCO )))(", "CCO\t)))(", "CCO\n)))(", "")
strict = Chem.SmilesParserParams()
strict.parseName = False


def told(mol):
    return "invalid" if mol is None else f"{mol.GetNumAtoms()} atoms"


found = [(told(Chem.MolFromSmiles(text)), told(Chem.MolFromSmiles(text, strict))) for text in TEXTS]
for text, (plain, strictly) in zip(TEXTS, found, strict=True):
    print(f"{text!r}: {plain}, strictly {strictly}")
assert found[0] == ("invalid", "invalid")
assert found[1] == found[2] == ("3 atoms", "invalid")
assert found[3] == ("3 atoms", "3 atoms") and found[4] == ("0 atoms", "0 atoms")
P
"$folder/venv/bin/python" "$folder/validity.py"
