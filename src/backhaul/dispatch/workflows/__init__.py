"""Each file here is one workflow, or the task types that several of them leave behind. A new file is known without a list."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from backhaul.core.workflow import Workflows
from backhaul.dispatch.office import Office, workflows


def all_of_them() -> Workflows[Office]:
    """Imports every file of this package; each makes itself known to `office.workflows` as it is imported."""
    for file in iter_modules(__path__, f"{__name__}."):
        import_module(file.name)
    return workflows
