"""The report of a verdict table as one HTML file; :mod:`~factcheck.evaluation.report.cases` and the assets draw single cases."""

from typing import TYPE_CHECKING

from retrieval.lazy import lazy_names

if TYPE_CHECKING:
    from factcheck.evaluation.report.cases import Case, case_of
    from factcheck.evaluation.report.page import write_report

__all__ = ["Case", "case_of", "write_report"]

__getattr__, __dir__ = lazy_names(__name__, {"Case": ".cases", "case_of": ".cases", "write_report": ".page"})
