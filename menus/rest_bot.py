"""REST of the bot: the shop's questions, files of them, what it could not answer, and trying it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import Field, StringConstraints

from menus import faq_files, record_library, service
from menus import record_postgres as record
from menus.brain import Brains
from menus.dialogue import Thresholds, Turn
from menus.faq_files import Phrasing, WrittenEntry
from menus.model import Closed
from menus.record_postgres import FaqEntry
from menus.understand.normalise import normalise
from menus.unknown import Asked, clusters
from wangxin.clock import new_id
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

IMPORT_MAX = 5_000
FAULTS_SHOWN = 200
UNKNOWN_DAYS = 30
UNKNOWN_READ = 300
UNKNOWN_SHOWN = 50


class Import(Closed):
    """Either ``questions`` (a JSON list, judged row by row) or ``csv`` (its text). Without ``apply`` nothing is kept:
    the report says what would be. With bad rows, ``apply`` keeps the good ones only if ``skip_bad`` says so."""

    questions: tuple[Any, ...] = Field(default=(), max_length=IMPORT_MAX)
    csv: str = ""
    apply: bool = True
    skip_bad: bool = False


class Question(WrittenEntry):
    """``media``: of the library, goes out below the answer. Files do not carry it; what is there stays."""

    media: UUID | None = None


class AlsoAsked(Closed):
    phrasings: tuple[Phrasing, ...] = Field(min_length=1, max_length=20)


class SetAside(Closed):
    sayings: tuple[Phrasing, ...] = Field(min_length=1, max_length=20)


class EarlierTurn(Closed):
    how: str
    text: str
    entry: str | None = None
    item: str | None = None


class Try(Closed):
    text: Annotated[str, StringConstraints(max_length=limits.TEXT_CHARS_MAX)]
    earlier: tuple[EarlierTurn, ...] = Field(default=(), max_length=20)


def _faq(entry: FaqEntry) -> dict[str, Any]:
    return {
        "id": str(entry.id),
        "key": entry.key,
        "topic": entry.topic,
        "phrasings": entry.phrasings,
        "answer": entry.answer,
        "active": entry.active,
        "asked": entry.asked,
        "media": entry.media and entry.media.id,
    }


def _written(entry: FaqEntry) -> WrittenEntry:
    return WrittenEntry(
        key=entry.key, topic=entry.topic, phrasings=entry.phrasings, answer=entry.answer, active=entry.active
    )


def add(routes: APIRouter, deps: Deps, brains: Brains) -> None:
    """Adds the bot's routes to those of the menus."""
    merchant = deps.require(Role.MERCHANT)

    @routes.get("/{shop}/faq")
    async def faq(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        async with deps.scope(actor, shop) as conn:
            entries = await record.faq(conn, shop)
            turns = await record.outcomes(conn, shop, UNKNOWN_DAYS)
        return {"questions": [_faq(entry) for entry in entries], "turns": turns}

    async def free(conn: Connection, shop: UUID, id_: UUID, phrasings: tuple[str, ...]) -> None:
        """Raises ``faq.phrasing_taken``: one phrasing cannot ask two questions."""
        known = await record.phrasings_known(conn, shop, phrasings)
        taken = next((text for text, (owner, _) in known.items() if owner != id_), None)
        if taken is not None:
            raise Refusal("faq.phrasing_taken", taken, field="phrasings", status=409)

    async def keep(shop: UUID, actor: Actor, id_: UUID, written: Question, *, known_id: bool = False) -> dict[str, Any]:
        async with deps.scope(actor, shop) as conn:
            kept = await record.one_entry(conn, shop, id_)
            if kept is None and known_id:
                raise not_found("question")
            known = await record.keys(conn, shop)
            if kept is None and len(known) >= limits.FAQ_ENTRIES_MAX:
                raise Refusal("faq.full", f"at most {limits.FAQ_ENTRIES_MAX} questions", status=409)
            key = written.key or (kept.key if kept else f"q-{id_.hex[-10:]}")
            if known.get(key, id_) != id_:
                raise Refusal("faq.key_taken", "another question has this key", field="key", status=409)
            await free(conn, shop, id_, written.phrasings)
            media = None if written.media is None else await record_library.seen(conn, shop, written.media)
            if written.media is not None and media is None:
                raise Refusal("media.not_found", "the library has no such picture or video", field="media", status=404)
            asked = kept.asked if kept else 0
            entry = FaqEntry(id_, key, written.topic, written.phrasings, written.answer, written.active, asked, media)
            await record.keep_entry(conn, shop, entry)
            await record.faq_changed(conn, shop)
        return _faq(entry)

    @routes.post("/{shop}/faq", status_code=201)
    async def add_entry(shop: UUID, asked: Question, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        return await keep(shop, actor, new_id(), asked)

    @routes.put("/{shop}/faq/{id}")
    async def change_entry(shop: UUID, id: UUID, asked: Question, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Raises ``question.not_found`` (404) for an id the shop does not have, ``media.not_found``."""
        return await keep(shop, actor, id, asked, known_id=True)

    @routes.post("/{shop}/faq/{id}/phrasings")
    async def also_asked(shop: UUID, id: UUID, asked: AlsoAsked, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Adds phrasings to a question; those it has already are left out. Raises ``question.not_found``,
        ``faq.too_many_phrasings``, ``faq.phrasing_taken``."""
        async with deps.scope(actor, shop) as conn:
            kept = await record.one_entry(conn, shop, id)
            if kept is None:
                raise not_found("question")
            phrasings = tuple(dict.fromkeys((*kept.phrasings, *asked.phrasings)))
            await free(conn, shop, id, phrasings)
            if len(phrasings) > faq_files.PHRASINGS_MAX:
                raise Refusal("faq.too_many_phrasings", f"at most {faq_files.PHRASINGS_MAX} a question", status=409)
            entry = replace(kept, phrasings=phrasings)
            await record.keep_entry(conn, shop, entry)
            await record.faq_changed(conn, shop)
        return _faq(entry)

    @routes.delete("/{shop}/faq/{id}", status_code=204)
    async def drop_entry(shop: UUID, id: UUID, actor: Actor = Depends(merchant)) -> None:
        async with deps.scope(actor, shop) as conn:
            if not await record.drop_entry(conn, shop, id):
                raise not_found("question")
            await record.faq_changed(conn, shop)

    # --- files ---------------------------------------------------------------------------------------------------

    @routes.get("/{shop}/faq/export", response_model=None)
    async def export_faq(
        shop: UUID,
        form: Annotated[str, Query(alias="format", pattern="^(json|csv)$")] = "json",
        heads: Annotated[str, Query(pattern="^(en|zh)$")] = "en",
        actor: Actor = Depends(merchant),
    ) -> Response | dict[str, Any]:
        """What :func:`import_faq` takes: JSON, or CSV with English or Chinese headings."""
        async with deps.scope(actor, shop) as conn:
            entries = [_written(entry) for entry in await record.faq(conn, shop)]
        if form == "csv":
            headings = list(faq_files.HEADINGS) if heads == "zh" else faq_files.COLUMNS
            return Response(faq_files.to_csv(entries, headings), media_type="text/csv; charset=utf-8")
        return {"questions": [entry.model_dump(mode="json") for entry in entries]}

    @routes.post("/{shop}/faq/import")
    async def import_faq(shop: UUID, asked: Import, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Adds questions; one whose key is known replaces the old one. The report names every bad row."""
        rows = faq_files.rows_of_csv(asked.csv) if asked.csv else faq_files.rows_of(asked.questions)
        if len(rows) > IMPORT_MAX:
            raise Refusal("file.too_many_rows", f"at most {IMPORT_MAX} questions at once", status=422)
        async with deps.scope(actor, shop) as conn:
            asked_already = await record.phrasings_known(conn, shop, faq_files.asked_in(rows))
            good, bad = faq_files.judge(rows, {text: key for text, (_, key) in asked_already.items()})
            apply = asked.apply and (asked.skip_bad or not bad) and bool(good)
            known = await record.keys(conn, shop)
            replaced = sum(1 for written in good if written.key in known)
            if len(known) + len(good) - replaced > limits.FAQ_ENTRIES_MAX:
                raise Refusal("faq.full", f"at most {limits.FAQ_ENTRIES_MAX} questions", status=409)
            if apply:
                await _keep_all(conn, shop, good, known)
                counts = {"good": len(good), "bad": len(bad)}
                await deps.audit(conn, actor, shop, "faq.import", "", counts)
        return {
            "added": len(good) - replaced,
            "replaced": replaced,
            "applied": apply,
            "bad": [{"row": f.row, "field": f.field, "code": f.code, "words": f.words} for f in bad[:FAULTS_SHOWN]],
            "bad_rows": len(bad),
        }

    # --- what it could not answer --------------------------------------------------------------------------------

    @routes.get("/{shop}/unknown")
    async def unknown(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """What shoppers asked in the last 30 days and the bot could not answer, alike ones together, each with the
        shop's questions that come nearest."""
        async with deps.scope(actor, shop) as conn:
            asked = [Asked(**row) for row in await record.unknown(conn, shop, UNKNOWN_DAYS, UNKNOWN_READ)]
            entries = await record.faq(conn, shop)
            known = await record.set_aside(conn, shop)
        known |= {normalise(text) for entry in entries if entry.active for text in entry.phrasings}
        found = clusters(asked, known)[:UNKNOWN_SHOWN]
        brain = await brains.of(shop)
        near = [await brains.nearest(brain, one.sayings[0], 3) for one in found]
        return {
            "unknown": [
                {
                    "sayings": one.sayings,
                    "times": one.times,
                    "last_ms": one.last_ms,
                    "nearest": [{"id": str(e.id), "text": e.phrasings[0]} for e, _ in close],
                }
                for one, close in zip(found, near, strict=True)
            ]
        }

    @routes.post("/{shop}/unknown/set-aside", status_code=204)
    async def set_aside(shop: UUID, asked: SetAside, actor: Actor = Depends(merchant)) -> None:
        """These are not asked about again."""
        async with deps.scope(actor, shop) as conn:
            await record.keep_set_aside(conn, shop, [normalise(said) for said in asked.sayings])

    @routes.post("/{shop}/unknown/bring-back", status_code=204)
    async def bring_back(shop: UUID, asked: SetAside, actor: Actor = Depends(merchant)) -> None:
        """These are asked about again."""
        async with deps.scope(actor, shop) as conn:
            await record.drop_set_aside(conn, shop, [normalise(said) for said in asked.sayings])

    # --- trying it -----------------------------------------------------------------------------------------------

    @routes.post("/{shop}/try")
    async def try_bot(shop: UUID, asked: Try, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """What the bot would say, and how sure it is. Nothing is kept."""
        deps.belongs(actor, shop)
        brain = await brains.of(shop)
        bounds = Thresholds()
        earlier = [Turn(t.how, t.text, t.entry, t.item) for t in asked.earlier]  # type: ignore[arg-type]
        decision = await service.think(brains, brain, asked.text, earlier, bounds)
        near = await brains.nearest(brain, asked.text, 3)
        says = () if decision.how in ("handoff", "silent", "item") else service.spoken(brain, decision)
        item = brain.menu.find(decision.item) if brain.menu and decision.item else None
        return {
            "how": decision.how,
            "why": decision.words,
            "entry": decision.entry,
            "item": decision.item,
            "label": item.label if item else "",
            "topic": decision.topic,
            "confidence": round(decision.confidence, 3),
            "answers_from": bounds.topic_from if decision.how == "item" else bounds.answer_from,
            "suggests_from": bounds.suggest_from,
            "words": service.HANDOFF_WORDS.get(decision.words, "") if decision.how == "handoff" else "",
            "says": [body.model_dump(mode="json") for body in says],
            "nearest": [{"id": str(e.id), "text": e.phrasings[0], "score": round(s, 2)} for e, s in near],
        }


async def _keep_all(conn: Connection, shop: UUID, good: list[WrittenEntry], known: dict[str, UUID]) -> None:
    media = {entry.id: entry.media for entry in await record.faq(conn, shop) if entry.media}
    for written in good:
        id_ = known.get(written.key or "") or new_id()
        key = written.key or f"q-{id_.hex[-10:]}"
        entry = FaqEntry(
            id_, key, written.topic, written.phrasings, written.answer, written.active, media=media.get(id_)
        )
        await record.keep_entry(conn, shop, entry)
    await record.faq_changed(conn, shop)
