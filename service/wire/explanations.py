"""Why an event was exceptional, in plain words: what was expected, and what would resolve it.

The words are for the people who read exceptions; programs go by the reason.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from service.domain.milestones import Reason


class Explanation(NamedTuple):
    """Two short texts without the data of any one return."""

    expected: str
    resolution: str


EXPLANATIONS: Final[dict[Reason, Explanation]] = {
    Reason.AWAITING_PROCESSED: Explanation(
        "A hub processes a return before it exports it, and no processing of this return is known.",
        "The export counts as soon as the hub's processing of the return arrives. If the hub never sent it, it should "
        "now; if the export was a mistake, void it.",
    ),
    Reason.AWAITING_EXPORTED: Explanation(
        "A return is exported under a connote before that connote brings it back to the retailer, and no export of "
        "this return counts yet.",
        "The delivery counts as soon as the export does. If the hub never sent the export, it should now; an export "
        "that is held itself waits for the processing.",
    ),
    Reason.ALREADY_EXPORTED: Explanation(
        "A return is rejected while it is processed at the hub, and this one was exported before it was rejected.",
        "Nothing, if the export is right. If the return never left the hub, void the export: the rejection counts "
        "then.",
    ),
    Reason.ALREADY_REJECTED: Explanation(
        "A rejection ends a return's journey: no processing, export or delivery follows it.",
        "Nothing, if the rejection is right. If it was a mistake, void it: what came after it counts then.",
    ),
    Reason.ROUTE_ENDS_AT_FIRST_MILE: Explanation(
        "A return of this route ends at its first-mile destination and passes no hub.",
        "Check which parcel was scanned. If the scan was of another one, void the event; if the return does go "
        "through a hub, its creation named the wrong route and OmniReturns has to correct it.",
    ),
    Reason.BEFORE_EXPORT: Explanation(
        "A connote brings back what was exported under it. This delivery is over a day older than the return's "
        "export: it is of an earlier consignment of the same number.",
        "Nothing, if the number was used before. If it is this consignment's, the export or the delivery has a "
        "wrong time: void that event, and send it again with the right one and a new id.",
    ),
    Reason.OTHER_CONNOTE: Explanation(
        "A return is exported under one connote, and this one was exported under two.",
        "Check under which connote it left, and void the export that was a mistake. Until then it is found "
        "under both, and the first to be delivered brings it home.",
    ),
    Reason.RETURNED_TO_SENDER: Explanation(
        "The carrier said that it was taking the parcel back to its sender, and has not collected it again "
        "since: it was delivered there, not at the first-mile destination.",
        "Ask the consumer to send the parcel again. A later collection and delivery count by themselves; if the "
        "scan that says so is wrong, void it.",
    ),
    Reason.RETURNING_AFTER_DELIVERED: Explanation(
        "The carrier marked the parcel delivered at the first-mile destination, and scanned it on its way again "
        "after that.",
        "Ask the destination whether it has the parcel. If the delivery was a mistake, void it; if the later "
        "scan was, void that one.",
    ),
    Reason.ID_REUSED: Explanation(
        "A source's id names one event, and under this one it has told of more than one fact.",
        "All of them count. Have the publisher give each event an id of its own; if one of them was a "
        "mistake, void the id and send the right one again under a new one.",
    ),
    Reason.CREATION_CONFLICT: Explanation(
        "The creations of a return agree on its retailer and its route, and those of this return do not.",
        "The earliest counts. Find out which one is right and void the other: where creations contradict each "
        "other, one can be voided.",
    ),
    Reason.CLOCK_AHEAD: Explanation(
        "An event is told of once it has happened, and one of this return lay more than a quarter of an hour "
        "in the future when it came.",
        "The event counts at the time that it names. Have its publisher set its clock or its time zone right; "
        "void what is wrong, and send it again with the right time and a new id.",
    ),
    Reason.VOID_WITHOUT_EVENT: Explanation(
        "A void names an event of its return by the source and the id that it was published with, letter for "
        "letter, and an hour after this one came the return has none of that name.",
        "Find the event that was meant in the return's history, and void it by its exact source and id. If it is "
        "still to come, nothing: it is void already, and this resolves by itself.",
    ),
    Reason.VOIDED: Explanation(
        "The event had been declared a mistake before it arrived.",
        "Nothing, if it was one. If it is right after all, send it again with a new id.",
    ),
    Reason.NOT_VOIDABLE: Explanation(
        "A hub or carrier event of the return can be declared a mistake; its creation, or another void, cannot.",
        "To take back a void, send the voided event again with a new id. A creation stays; what it says changes only "
        "by an earlier creation.",
    ),
    Reason.TRACKING_NUMBER_IN_USE: Explanation(
        "A carrier's tracking number is one parcel's at a time, and another return claims this one for the same time.",
        "Nothing, if both are in one box: scans count for both. If they are of different retailers, scans count for the "
        "return that was created first; the other one needs a creation with a tracking number of its own.",
    ),
    Reason.BEFORE_LABEL: Explanation(
        "A return's label exists from its creation on. This scan is over a day older: the number was another parcel's then.",
        "Nothing, if the number was used before. If the label is older than its creation says, send the creation again with "
        "its true time and a new id: the scan counts then.",
    ),
    Reason.LABEL_CLAIMED: Explanation(
        "A carrier's tracking number is used again, and another return claims this one's.",
        "Nothing. From the time that it says on, scans of the number are the other return's.",
    ),
    Reason.EVENTS_AFTER_CLOSED: Explanation(
        "A return that is closed is not expected to go on, and something that counts happened later.",
        "Nothing, if the parcel was found: the return is open again by itself. If the scan was a mistake, void it.",
    ),
    Reason.UNKNOWN_CODE: Explanation(
        "The carrier's table says what each of its scan codes means, and has none for this one.",
        "Add the code to the carrier's table and run `remap`: the scan is evaluated again.",
    ),
    Reason.UNKNOWN_CARRIER: Explanation(
        "A table says what a carrier's scan codes mean, and there is none for this carrier.",
        "Add a table for the carrier and run `remap`, or have the integration send the codes of carrier `generic`.",
    ),
}

WAITS_FOR_CREATION: Final = Explanation(
    "An event concerns a return, and the creation of this one has not come yet.",
    "The event counts as soon as the creation arrives. If OmniReturns never sent it, it should now; a carrier's scan is "
    "found by the carrier and tracking number that the creation names.",
)
WAITS_FOR_EXPORT: Final = Explanation(
    "A delivery brings home the returns that were exported under its connote, and no export names this one.",
    "The delivery counts as soon as a hub's export under the connote arrives. If nothing travelled under it, whoever sent the "
    "delivery should void it, and send it again with the right number.",
)
