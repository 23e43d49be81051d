"""Judge pip-audit's findings: exit code 0 none, 1 some, 3 its database knew nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

CANARY = "django"


def judge(report: str) -> int:
    """Print what was found."""
    packages = json.loads(report)["dependencies"]
    if not any(package["name"] == CANARY and package.get("vulns") for package in packages):
        return 3
    packages = [package for package in packages if package["name"] != CANARY]
    known = [package for package in packages if package.get("vulns")]
    for package in known:
        for one in package["vulns"]:
            mended = ", ".join(one["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {one['id']}, mended in {mended}")
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    print(f"audit: {len(packages)} packages, {len(known)} with known vulnerabilities, {len(skipped)} not looked up")
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(judge(Path(sys.argv[1]).read_text(encoding="utf-8")))
