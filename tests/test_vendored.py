"""What others wrote and we pass on: just the versions that were chosen, byte for byte."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

from backhaul.core.share import share
from backhaul.dispatch.invoices import paper

VENDOR = share("web", "vendor")
FONTS = Path(paper.__file__).parent / "fonts"
ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("folder", [VENDOR, FONTS], ids=["pages", "invoices"])
def test_every_vendored_file_is_the_one_in_the_list(folder: Path) -> None:
    """(15.1.2) And pages load nothing from elsewhere, so these are all there are."""
    listed = dict(re.findall(r"^\| `([^`]+)` \| `([0-9a-f]{64})` \|$", (folder / "README.md").read_text("utf-8"), re.MULTILINE))
    served = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.suffix in (".js", ".css", ".svg", ".woff2", ".ttf")
    }
    assert set(listed) == set(served)
    for name, path in served.items():
        assert sha256(path.read_bytes()).hexdigest() == listed[name], name


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_package_is_pinned_to_a_version_and_its_hashes(lock: str) -> None:
    """(15.1.2) `make` installs with --require-hashes, from these files alone."""
    text = (ROOT / lock).read_text("utf-8")
    packages = re.split(r"\n(?=[a-zA-Z0-9])", re.sub(r"(?m)^\s*#.*\n", "", text).strip())
    assert len(packages) > 20
    for package in packages:
        assert re.match(r"[\w.\[\]-]+==[^\s]+", package), package[:80]
        assert "--hash=sha256:" in package, package[:80]
