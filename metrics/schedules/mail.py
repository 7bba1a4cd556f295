"""A report as a mail: a few figures in words, the workbook beside it; handed to the operator's own mail server."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

from metrics.report import percent, seconds
from metrics.schedules.record import Sending

TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Post:
    """The mail server of an installation: ``smtp://user:password@host:587`` (STARTTLS where it is offered) or
    ``smtps://host:465``. A password is only said over TLS, or to this very machine."""

    url: str
    sender: str

    def hand_over(self, mail: EmailMessage) -> None:
        """Raises smtplib.SMTPException, OSError."""
        parts = urlsplit(self.url)
        host, secure = parts.hostname or "localhost", parts.scheme == "smtps"
        context = ssl.create_default_context()
        with (
            smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_S, context=context)
            if secure
            else smtplib.SMTP(host, parts.port or 587, timeout=TIMEOUT_S)
        ) as server:
            server.ehlo()
            if not secure and server.has_extn("starttls"):
                server.starttls(context=context)
                secure = True
            if parts.username:
                if not secure and not _is_here(host):
                    raise smtplib.SMTPException("the server offers no TLS: the password stays here")
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(mail)


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


_WORDS = {
    "zh": ("接待 {served} / 咨询 {conversations}", "首次响应（平均）{first} 秒", "平均响应 {response} 秒",
           "3 分钟回复率 {reply}", "询单转化率 {conversion}", "成交 {orders} 单，¥{paid}", "附件是完整报表（含图）。"),
    "en": ("Served {served} of {conversations} conversations", "First response (mean) {first} s",
           "Average response {response} s", "Replied within 3 minutes {reply}", "Conversion {conversion}",
           "{orders} orders, ¥{paid}", "The whole report with its charts is attached."),
}  # fmt: skip


def mail_of(one: Sending, sender: str, report: dict[str, Any], book: bytes) -> EmailMessage:
    """The same sending always carries the same Message-ID, so that one handed over twice can be told."""
    whole = next(row for row in report["rows"] if row["kind"] == "all")["figures"]
    days = one.first.isoformat() if one.first == one.last else f"{one.first} – {one.last}"
    words = {
        "served": whole["served"], "conversations": whole["conversations"],
        "first": seconds(whole["first_response"]["mean"]), "response": seconds(whole["response"]["mean"]),
        "reply": percent(whole["reply_3min"]), "conversion": percent(whole["conversion"]), "orders": whole["orders"],
        "paid": f"{whole['paid_fen'] / 100:,.2f}",
    }  # fmt: skip
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = sender, ", ".join(one.addresses)
    mail["Subject"] = f"{one.shop_name} · {one.name} · {days}"
    mail["Message-ID"] = f"<{one.id}@{sender.rpartition('@')[2].rstrip('>')}>"
    lines = "\n".join(_WORDS["zh" if one.locale.startswith("zh") else "en"])
    said = lines.format(**words)  # rule: formats-of-others: a constant of this module
    mail.set_content(f"{one.shop_name}  {days}\n\n{said}\n")
    mail.add_attachment(
        book, maintype="application", subtype="vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        filename=f"report-{one.first}-{one.last}.xlsx",
    )  # fmt: skip
    return mail
