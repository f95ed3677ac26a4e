"""The host-requests family, as the suite knows it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from balloon_conformance.families.host_requests.reference import AnswersOfDriver, RequestsOfDevice
from balloon_conformance.families.host_requests.requests import Answers, RequestQueue, comment_on_request
from balloon_conformance.family import Additions, module_names
from balloon_conformance.running.blame import Lapse
from balloon_conformance.vectors.steps.parts import field
from balloon_conformance.vectors.steps.wishes import GuestWish, OperatorWish
from balloon_spec.events import GuestAction, OperatorAction
from balloon_spec.families.chunk_transfer import response_message
from balloon_spec.families.host_requests import HOST_REQUEST, host_request
from balloon_spec.families.host_requests.declaration import FAMILY

__all__ = ["ADDITIONS"]

ADDITIONS: Final = Additions(
    family=FAMILY,
    device=RequestsOfDevice,
    driver=AnswersOfDriver,
    can_break=MappingProxyType(
        {
            Lapse.NOT_RETURNED: frozenset({"REQ-20"}),
            Lapse.SPOKE: frozenset({"REQ-05", "REQ-25"}),
            Lapse.NOT_MADE_AVAILABLE: frozenset(
                {
                    *("REQ-01", "REQ-11", "REQ-13", "REQ-14", "REQ-15", "REQ-24"),
                    *("CONC-02", "CONC-03", "CONC-04", "CONC-05"),
                }
            ),
        }
    ),
    queues=(RequestQueue(HOST_REQUEST),),
    comparisons=(Answers(response_message.NAME, HOST_REQUEST),),
    operator_wishes=(
        OperatorWish(
            action=OperatorAction.UNUSED_PAGES,
            key="unused_pages",
            schema=MappingProxyType(
                {
                    "description": "the id of a request for unused pages",
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 18446744073709551615,
                }
            ),
            text=hex,
            label=lambda identifier: f"unused pages, id {identifier:#x}",
        ),
    ),
    guest_wishes=(
        GuestWish(
            action=GuestAction.UNUSED,
            schema=field("the pages the guest does not use; may be none", "runs"),
        ),
    ),
    written_comments=MappingProxyType({host_request.NAME: comment_on_request}),
    mutants=(f"{__package__}.device_mutants", f"{__package__}.driver_mutants"),
    scenarios=(f"{__package__}.driver_request_scenarios",),
    intents=module_names(f"{__package__}.intents"),
    only_counts=MappingProxyType(
        {
            "a_reported_page_may_be_inflated": "UNUSED-06 is a permission.",
            "kinds_do_not_wait": "It counts that CONC-02 to CONC-04 were kept; the_driver_answers finds "
            "them broken.",
            "a_stray_closes_nothing": "It counts what an open request keeps; a_request_is_well_formed "
            "finds it broken.",
            "an_exchange_ends_with_the_reset": "It counts that RESET-05 was kept; "
            "a_message_answers_the_request finds it broken.",
        }
    ),
)
