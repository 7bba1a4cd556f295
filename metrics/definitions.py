"""What every figure means, in one place: the pages, the REST and the definitions document all read it from here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metrics.abandonment import SHORT_MS
from metrics.conversion import PAY_WITHIN_MS, RULES
from metrics.intervals import COMPARABLE_N_MIN
from metrics.model import HOUR, SECOND
from metrics.profiles import PROFILES
from metrics.scorecards import ABOVE_OWN, PRIOR_CONVERSATIONS, STAR_CUTS, STAR_MARGIN, WEIGHTS
from metrics.settlement import LineKind

FIGURES: dict[str, str] = {
    "conversations": "Conversations opened in the period in which the shopper wrote at least once.",
    "served": "Conversations with at least one message of the shopper and one of a person.",
    "turns": "Spans from the shopper's first unanswered words (or the hand-off) to the first reply of a person. "
    "Words that "
    "follow before the reply belong to the same turn. Recalled questions, blocked shoppers and turns that were "
    "taken out by hand count nowhere. A turn that has just begun counts once it is answered, ended or 3 minutes old.",
    "first_response": "First human reply of a conversation less the later of the shopper's first words and the "
    "hand-off. "
    "Welcome texts, automatic replies and the bot never stop this clock. Unanswered: no value.",
    "response": "The same over all turns: reply less the later of the turn's first words and the hand-off; mean over "
    "answered turns, by the calendar. The business variant counts only time within the shop's service hours.",
    "reply_3min": "Turns opened from 08:00 to 22:59:59 in the shop's zone and answered by a person within 3 "
    "minutes, of all "
    "such turns; unanswered turns are misses.",
    "service_all": "First turns answered within the limit, of all first turns; message-box conversations are "
    "left out. "
    "The dashboard's figure.",
    "service_ext": "First turns answered within the limit, of those answered and those lost after the limit. The "
    "contract's figure.",
    "abandonment": "Shoppers who asked for a person and left before his first reply, openly or silently, of all "
    "who asked; "
    f"those gone within {SHORT_MS // SECOND} s are reported beside it and are in neither part. Left messages are "
    f"not lost.",
    "overflow": "Conversations that asked for a person and went to a pool of a provider, of all that asked for one.",
    "conversion": "Distinct shoppers with an enquiry that a person answered and who bought after the agent's "
    "words, of all "
    f"distinct shoppers with such an enquiry. The order must be paid within {PAY_WITHIN_MS // HOUR} h of its "
    f"making. One "
    "who bought within 21 days before and orders nothing new came for after-sales and is no enquiry.",
    "conversion_all": "The same with all shoppers who asked for a person in the denominator, answered or not.",
    "paid_fen": "Paid amount of orders credited to the group, by the day of payment. Each order is credited to "
    "exactly one "
    "agent and pool (money may be shared by turns); touched, rescued, bot, silent and late orders add up to all "
    "that was paid. With a deposit an order counts on the day of the deposit, its money on the day of the balance.",
    "rescued_orders": "Orders made before and paid after a person's words.",
    "rating": "Mean of the shoppers' stars, and the share of 4 and 5. Of the conversations that one shopper began on "
    "one business day, the rating given last counts and no other, for whoever served in the conversation it names.",
}

KINDS: dict[str, str] = {
    "touched": "ordered after a person's words",
    "rescued": "ordered before, paid after a person's words",
    "bot": "ordered after the bot's words alone",
    "silent": "ordered without any words within the window",
    "late": f"paid more than {PAY_WITHIN_MS // HOUR} h after it was made",
}


CHANGES: dict[str, str] = {
    "before and after": "As many days after a day as before it, of the whole shop. Means: all cases of a span; the "
    "interval comes from the spread between its days (Student's t), as turns of one day are alike. Rates: Newcombe's "
    f"interval. Below {COMPARABLE_N_MIN} cases on a side, or 3 days for a mean, nothing is concluded.",
    "same hours": "A provider beside the own people: the own figure of each hour of the day, weighted as the "
    "provider's cases lie. Hours in which only one of the two worked are left out, and the share compared is said.",
}

STARS: dict[str, str] = {
    "score": "0 to 100: "
    + ", ".join(f"{part.replace('_', ' ')} {weight}" for part, weight in WEIGHTS.items())
    + f". Each part is pulled to the market's rate as if {PRIOR_CONVERSATIONS} cases of it had been seen before; a "
    "part without cases takes the market's.",
    "stars": "Once a month, from three to six: "
    + ", ".join(f"{stars} from {cut:g}" for stars, cut in STAR_CUTS)
    + f"; a change needs {STAR_MARGIN:g} points beyond the cut.",
    "operating ability": "Response, reply rate, conversion and availability of the score, among themselves. Conversion "
    "stands beside "
    f"the own people's of the same hours: as good as they is the middle, {ABOVE_OWN * 100:g} points better the best.",
    "availability": "Hours in which committed seats were ready or busy, of the hours in which the contract wants them; "
    "who serves several shops counts in equal shares, and one day makes up for no other.",
    "quality": "Conversations that pass the shop's quality sheet, of those drawn by chance and graded blind.",
    "winning of brands": "How many shops are served: n of n + 5.",
    "service reviews": "Ratings and quality checks of the score, among themselves.",
    "potential": "How the conversations grew from one month to the next: 50 is standing still, 100 twice as many.",
}

STATEMENT: dict[LineKind, str] = {
    LineKind.CONVERSATIONS: "Effective conversations: one a shopper and business day, with words of the shopper and a "
    "reply of the contract's people. Each costs its place in the tiers, counted from the beginning of the cycle.",
    LineKind.SEATS: "Committed seats, by the days of the month.",
    LineKind.ONLINE: "Time in which seats of the contract's pools were ready or busy, shared equally by the shops "
    "under contract for these pools. A seat whose line is lost was there until it was last heard.",
    LineKind.HANDLED: "Time for which conversations were with the contract's people; parked time is not. Of one who "
    "lost his line, until he was last heard; what came after is named in the evidence and paid by nobody.",
    LineKind.BASE: "The fixed sum of a cycle, by its days in force.",
    LineKind.COMMISSION: "A share of each order credited by the rule last_touch to the contract's pools, net of "
    "refunds known when the day is issued (or without them, as the contract says).",
    LineKind.SILENT: "Where the contract says so: the same share of each order of the shop that followed nobody's "
    "words.",
    LineKind.SERVICE: "On the cycle's last day: a promised figure over the whole cycle, as a share of the cycle's fee. "
    "Missed by a band: the penalty of the widest band reached, all together at most the contract's cap. Better by a "
    "band: the bonus.",
    LineKind.CAP: "What lies above the most that a cycle may cost.",
    LineKind.CORRECTION: "On the first day of a cycle: what an earlier day would come to now, less what was settled "
    "for it. Lines that both sides agreed on after a dispute are not corrected.",
}


def as_json() -> dict[str, Any]:
    return {
        "figures": FIGURES,
        "kinds": KINDS,
        "rules": {rule.name: rule.says for rule in RULES.values()},
        "profiles": {profile.name: profile.says for profile in PROFILES.values()},
        "comparable_n": COMPARABLE_N_MIN,
    }


def as_markdown() -> str:
    """The definitions page of the documentation."""
    lines = [
        "# What the figures mean",
        "",
        "This page is generated from the code that computes the figures: `make definitions` writes it, and a "
        "test fails",
        "when it is stale. Times are the server's; days and hours are those of the shop's zone.",
        "",
        "## Figures",
        "",
        "| figure | definition |",
        "|---|---|",
        *(f"| `{name}` | {says} |" for name, says in FIGURES.items()),
        "",
        "Every rate stands with its 95 % Wilson interval and its n. Percentiles come from logarithmic buckets and are",
        f"within 1 % of the exact value. Below n = {COMPARABLE_N_MIN} two teams are not told apart.",
        "",
        "## Definition profiles",
        "",
        "The same turns by the definitions of the platforms and of other products; a contract names the profile "
        "it means.",
        "",
        "| profile | platform's name | definition | limit | source |",
        "|---|---|---|---|---|",
        *(
            f"| `{one.name}` | {one.title_zh} · {one.title_en} | {one.says} | {one.limit_ms // SECOND} s | "
            f"{one.source} |"
            for one in PROFILES.values()
        ),
        "",
        "## Attribution rules",
        "",
        "| rule | definition |",
        "|---|---|",
        *(f"| `{rule.name}` | {rule.says} |" for rule in RULES.values()),
        "",
        "| kind of order | meaning |",
        "|---|---|",
        *(f"| {kind} | {says} |" for kind, says in KINDS.items()),
        "",
        "## Comparisons",
        "",
        "| comparison | definition |",
        "|---|---|",
        *(f"| {name} | {says} |" for name, says in CHANGES.items()),
        "",
        "## Stars of providers",
        "",
        "| figure | definition |",
        "|---|---|",
        *(f"| {name} | {says} |" for name, says in STARS.items()),
        "",
        "## Lines of a statement",
        "",
        "Whole fen; each part is rounded half up. A statement never changes once it is signed.",
        "",
        "| line | definition |",
        "|---|---|",
        *(f"| {kind} | {says} |" for kind, says in STATEMENT.items()),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    Path("docs/metrics-definitions.md").write_text(as_markdown(), encoding="utf-8")
