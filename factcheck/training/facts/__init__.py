"""Made pairs of claim and evidence whose stance follows from how they were made (docs/stance.md), and claims' furniture."""

from factcheck.training.facts.furniture import furnish
from factcheck.training.facts.rows import KINDS, make_fact

__all__ = ["KINDS", "furnish", "make_fact"]
