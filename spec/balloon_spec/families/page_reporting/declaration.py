"""The page-reporting family, declared."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from balloon_spec.families.family import AreaFile, Chapter, Family
from balloon_spec.families.page_reporting import FEATURES, REPORTING, reports_made, reports_returned
from balloon_spec.families.page_reporting.ledger import PageContents, Reports
from balloon_spec.families.page_reporting.report_content import REPORT_BUFFER
from balloon_spec.families.page_reporting.trials import INTERPRETER, TRIALS
from balloon_spec.judge.rule import rules_in

__all__ = ["FAMILY"]

_AREAS: Final = files(__package__) / "requirements"

FAMILY: Final = Family(
    "page-reporting",
    features=FEATURES,
    queues=(REPORTING,),
    areas=(AreaFile(_AREAS / "page_reporting.yaml", Chapter.OF_THE_GUEST, excuses_devices=True),),
    rules=rules_in(reports_made, reports_returned),
    ledgers=(Reports, PageContents),
    shapes=(REPORT_BUFFER,),
    interpreter=INTERPRETER,
    trials=TRIALS,
    particulars={"QUEUE-07": ("REPORT-16",), "BUF-05": ("REPORT-09",)},
)
