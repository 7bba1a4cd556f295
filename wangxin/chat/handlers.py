"""The frames that chat answers, for the composition root's table."""

from __future__ import annotations

from wangxin.chat.monitor import Monitor
from wangxin.chat.notes import Notes
from wangxin.chat.rating import Ratings
from wangxin.protocol.frames import Frame, MonitorJoin, MonitorLeave, NoteAdd, RatingSubmit
from wangxin.protocol.reply import Handler
from wangxin.storage.postgres import Pool


def handlers(pool: Pool) -> dict[type[Frame], Handler]:
    notes, ratings, monitor = Notes(pool), Ratings(pool), Monitor(pool)
    return {
        NoteAdd: notes.add,
        RatingSubmit: ratings.submit,
        MonitorJoin: monitor.join,
        MonitorLeave: monitor.leave,
    }
