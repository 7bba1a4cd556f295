"""Frames of the shopper's menu, buttons and forms: his line and the bot's answer in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from menus import aftersale, answering, components, navigate, record_aftersale, record_shopdata, say, voice
from menus import record_postgres as record
from menus.errands import request_of, topic_of_invoices
from menus.model import Form, Menu, ReturnExchange, Subscribe, everything
from menus.navigate import HUMAN, RETURN_FORM, Outcome
from menus.record_postgres import TurnRow
from menus.shopdata import ShopData, StoredShopData
from wangxin.clock import new_id, now_ms
from wangxin.model.actor import Actor, Role
from wangxin.model.conversation import State
from wangxin.model.facts import ErrandAsked, MenuTapped, ShopperSpoke, Subscribed
from wangxin.model.refusals import Refusal, forbidden, not_found
from wangxin.protocol import bodies
from wangxin.protocol.bodies import Choice
from wangxin.protocol.frames import BotAsk, ChoiceSubmit, FormSubmit, Frame, MenuTap
from wangxin.protocol.reply import Handler, Reply
from wangxin.storage import entries, outbox
from wangxin.storage.conversations import Standing
from wangxin.storage.postgres import Connection, Pool

Evidence = bodies.Image | bodies.Video


def _shop_of(actor: Actor) -> UUID:
    if actor.role is not Role.SHOPPER:
        raise forbidden("role.wrong", "menus are for shoppers")
    (shop,) = actor.shops
    return shop


def _reply(shop: UUID, thread: UUID, *, person: bool = False, tapped: bool = False, errand: bool = False) -> Reply:
    wake = ("dispatcher",) * person + ("push",) * tapped + ("errands",) * errand
    return Reply(grown=((shop, thread),), wake=wake)


def handlers(pool: Pool, data: ShopData | None = None) -> dict[type[Frame], Handler]:
    """The frames that menus answer, for the composition root's table."""
    taps = Taps(pool, data or StoredShopData())
    return {MenuTap: taps.menu, ChoiceSubmit: taps.choice, FormSubmit: taps.form, BotAsk: taps.ask}


class Taps:
    def __init__(self, pool: Pool, data: ShopData):
        self._pool = pool
        self._data = data

    async def menu(self, actor: Actor, frame: MenuTap) -> Reply:
        """A tapped item. A version that is no longer published still answers; its item, where the new one lost it, too.

        Raises ``menu.unknown_version``, ``menu.unknown_item``.
        """
        shop = _shop_of(actor)
        async with self._pool.acquire() as conn, conn.transaction():
            standing = await voice.stand(conn, shop, frame.thread, actor.id)
            menu = await record.menu(conn, shop, frame.menu_version)
            if menu is None:
                raise Refusal("menu.unknown_version", "the menu has changed; fetch it again", status=409)
            newest = await record.published(conn, shop)
            item = (newest.find(frame.item) if newest else None) or menu.find(frame.item)
            if item is None:
                raise Refusal("menu.unknown_item", "the menu has no such item", status=404)
            line = await voice.shopper_line(
                conn, standing, standing.shopper, frame.client_msg_id, bodies.Text(text=item.label)
            )
            if line is None:
                return Reply()
            assert line.seq is not None, "a new line has its number"
            errand = answering.item_goes_out(await record_shopdata.source(conn, shop), item)
            outcome = (
                Outcome()
                if errand
                else await answering.of_item(
                    conn, self._data, newest or menu, item, shop, standing.shopper, guest=actor.guest,
                    request=request_of(frame.thread, line.seq),
                )
            )  # fmt: skip
            await record.log_turn(
                conn,
                TurnRow(
                    shop, frame.thread, line.seq, line.conversation, "menu", said=item.label, item=item.id,
                    version=frame.menu_version, shown=navigate.shown_by(outcome),
                ),
            )  # fmt: skip
            if errand:
                await _send_out(conn, standing, line.seq, "item", item.id, guest=actor.guest)
            person = await voice.carry_out(conn, shop, frame.thread, outcome)
            tapped = MenuTapped(
                shop=shop, thread=frame.thread, shopper=standing.shopper, item=item.id, version=frame.menu_version,
                at_ms=now_ms(),
            )  # fmt: skip
            await outbox.write(conn, [tapped])
        return _reply(shop, frame.thread, person=person, tapped=True, errand=errand)

    async def ask(self, actor: Actor, frame: BotAsk) -> Reply:
        """The bot is to answer a line of a shopper who waits for a person. It answers each line once.

        Raises ``thread.not_found``, ``message.not_found``.
        """
        shop = _shop_of(actor)
        async with self._pool.acquire() as conn, conn.transaction():
            standing = await voice.stand(conn, shop, frame.thread, actor.id)
            line = await entries.read_one(conn, shop, frame.thread, "public", frame.seq)
            if line is None or line.sender_kind != "shopper":
                raise not_found("message")
            if standing.state is not State.WAITING or standing.conversation is None:
                return Reply()  # somebody has it by now
            spoke = ShopperSpoke(
                shop=shop, thread=frame.thread, conversation=standing.conversation, seq=frame.seq, at_ms=now_ms(),
                waiting=True,
            )  # fmt: skip
            await outbox.write(conn, [spoke])
        return Reply(wake=("bot",))

    async def choice(self, actor: Actor, frame: ChoiceSubmit) -> Reply:
        """A tapped button of a line. Raises ``choice.not_found`` for a button the line does not have."""
        shop = _shop_of(actor)
        async with self._pool.acquire() as conn, conn.transaction():
            standing = await voice.stand(conn, shop, frame.thread, actor.id)
            label = await _label(conn, shop, frame)
            line = await voice.shopper_line(
                conn, standing, standing.shopper, frame.client_msg_id, bodies.Text(text=label, quote=frame.seq)
            )
            if line is None:
                return Reply()
            assert line.seq is not None, "a new line has its number"
            errand = await self._choice_goes_out(conn, shop, frame.choice)
            outcome, turn = (
                (Outcome(), {})
                if errand
                else await self._chosen(
                    conn, standing, frame.choice, guest=actor.guest, request=request_of(frame.thread, line.seq)
                )
            )
            if outcome is None:
                # a button that is none of ours (an agent's own): his words are what counts
                return _reply(shop, frame.thread)
            await record.log_turn(
                conn,
                TurnRow(
                    shop, frame.thread, line.seq, line.conversation, "choice", said=label, entry=turn.get("entry"),
                    item=turn.get("item"),
                    shown=[*([f"order:{turn['order']}"] if turn.get("order") else []), *navigate.shown_by(outcome)],
                ),
            )  # fmt: skip
            if errand:
                kind, _, rest = frame.choice.partition(":")
                what, ref = ("item", rest) if kind == "item" else ("choice", frame.choice)
                await _send_out(conn, standing, line.seq, what, ref, guest=actor.guest)
            person = await voice.carry_out(conn, shop, frame.thread, outcome, why="asked")
        return _reply(shop, frame.thread, person=person, errand=errand)

    async def _choice_goes_out(self, conn: Connection, shop: UUID, choice: str) -> bool:
        kind, _, rest = choice.partition(":")
        source = await record_shopdata.source(conn, shop)
        if source is None or kind != "item":
            return answering.choice_goes_out(source, kind)
        menu = await record.published(conn, shop)
        item = menu.find(rest) if menu else None
        return item is not None and answering.item_goes_out(source, item)

    async def _chosen(
        self, conn: Connection, standing: Standing, choice: str, *, guest: bool, request: UUID
    ) -> tuple[Outcome | None, dict[str, Any]]:
        shop, shopper = standing.shop, standing.shopper
        if choice == HUMAN:
            return Outcome(human=True), {}
        kind, _, rest = choice.partition(":")
        if kind == "faq":
            entry = await record.one_entry(conn, shop, _uuid(rest))
            if entry is None:
                return Outcome((bodies.BotAnswer(text=say.NO_QUESTIONS, choices=(navigate.person_choice(),)),)), {}
            await record.count_asked(conn, shop, entry.id)
            return Outcome(components.question(entry.answer, rest, entry.media)), {"entry": entry.id}
        if kind == "item":
            menu = await record.published(conn, shop)
            item = menu.find(rest) if menu else None
            if menu is None or item is None:
                raise Refusal("menu.unknown_item", "the menu has no such item", status=404)
            answered = await answering.of_item(
                conn, self._data, menu, item, shop, shopper, guest=guest, request=request
            )
            return answered, {"item": item.id}
        if kind == "withdraw":
            return await self._withdraw(conn, standing, rest), {}
        if kind in ("subscribe", "leave"):
            return await self._subscribe(conn, standing, rest, on=kind == "subscribe"), {"item": rest}
        outcome = await answering.of_choice(conn, self._data, shop, shopper, kind, rest, request)
        his = kind in answering.ABOUT_ORDERS and await self._data.order(conn, shop, shopper, rest) is not None
        return outcome, {"order": rest} if his else {}

    async def _subscribe(self, conn: Connection, standing: Standing, item_id: str, *, on: bool) -> Outcome:
        menu = await record.published(conn, standing.shop)
        item = menu.find(item_id) if menu else None
        if item is None or not isinstance(item.action, Subscribe):
            raise Refusal("menu.unknown_item", "the menu has no such item", status=404)
        wanted = Subscribed(
            shop=standing.shop, thread=standing.thread, shopper=standing.shopper, tag=item.action.tag, on=on,
            at_ms=now_ms(),
        )  # fmt: skip
        await outbox.write(conn, [wanted])
        return components.subscribed(item.action, on)

    async def form(self, actor: Actor, frame: FormSubmit) -> Reply:
        """A filled form. Raises ``form.not_found``, ``form.incomplete`` (``field`` names the first)."""
        shop = _shop_of(actor)
        async with self._pool.acquire() as conn, conn.transaction():
            standing = await voice.stand(conn, shop, frame.thread, actor.id)
            entry = await entries.read_one(conn, shop, frame.thread, "public", frame.seq)
            if entry is None or entry.kind != "form" or entry.recalled_at_ms is not None:
                raise not_found("form")
            form = bodies.Form.model_validate_json(entry.body, strict=False)
            wrong = navigate.missing_fields(form.fields, frame.values)
            if wrong:
                raise Refusal("form.incomplete", say.FILL_IN, field=wrong[0], status=422)
            evidence = await self._evidence(conn, actor, shop, form, frame.values)
            labels = {field.id: field.label for field in form.fields if field.id in frame.values}
            values = {**frame.values, **dict.fromkeys(evidence, say.PICTURE_BELOW)}
            answer = bodies.FormAnswer(form=form.form, title=form.title, values=values, labels=labels, quote=frame.seq)
            line = await voice.shopper_line(conn, standing, standing.shopper, frame.client_msg_id, answer)
            if line is None:
                return Reply()
            assert line.seq is not None, "a new line has its number"
            await record.log_turn(
                conn, TurnRow(shop, frame.thread, line.seq, line.conversation, "form", said=form.title)
            )
            await self._show(conn, standing, frame.client_msg_id, evidence)
            if entry.sender_kind == "agent":
                return _reply(shop, frame.thread)
            source = await record_shopdata.source(conn, shop)
            errand = answering.form_goes_out(source, form.form)
            if errand:
                await _send_out(conn, standing, line.seq, "form", form.form, guest=actor.guest)
                return _reply(shop, frame.thread, errand=True)
            if form.form.startswith(f"{RETURN_FORM}:"):
                outcome = await self._case(
                    conn, standing, form.form, frame.values, evidence, known=answering.choice_goes_out(source, "return")
                )
            else:
                menu = await record.published(conn, shop)
                outcome = await answering.of_form(
                    conn, self._data, shop, standing.shopper, form.form, frame.values, topic_of_invoices(menu),
                    request_of(frame.thread, line.seq),
                ) or _after_form(form.form, menu)  # fmt: skip
            person = await voice.carry_out(conn, shop, frame.thread, outcome, why="form")
        return _reply(shop, frame.thread, person=person)

    async def _case(
        self,
        conn: Connection,
        standing: Standing,
        form: str,
        values: dict[str, str],
        evidence: Mapping[str, Evidence],
        *,
        known: bool,
    ) -> Outcome:
        """Opens the after-sale case of an order; a person takes it up. One that is open already goes on as it is.

        ``known``: the shop's own server named the order when the bot gave this form for it."""
        order = form.partition(":")[2]
        if not known and await self._data.order(conn, standing.shop, standing.shopper, order) is None:
            return Outcome((bodies.BotAnswer(text=say.NO_SUCH_ORDER, choices=(navigate.person_choice(),)),))
        media = [str(one.media) for one in evidence.values()]
        case, new = await record_aftersale.open_case(
            conn, standing.shop, new_id(), standing.thread, standing.shopper, order, values, media
        )
        withdraw = Choice(id=f"withdraw:{case.id}", label=say.CASE_WITHDRAW)
        text = say.FORM_TO_PERSON if new else say.CASE_OPEN_ALREADY
        menu = await record.published(conn, standing.shop)
        return Outcome((bodies.BotAnswer(text=text, choices=(withdraw,)),), human=new, topic=_topic_of_returns(menu))

    async def _withdraw(self, conn: Connection, standing: Standing, case_id: str) -> Outcome:
        case = await record_aftersale.lock(conn, standing.shop, _uuid(case_id))
        if case.shopper != standing.shopper:
            raise not_found("choice")
        try:
            aftersale.check_step(case.state, "withdrawn", shopper=True)
        except Refusal:
            return Outcome((bodies.BotAnswer(text=say.CASE_NOT_NOW, choices=(navigate.person_choice(),)),))
        await record_aftersale.change(conn, case, "withdrawn", "", "shopper", standing.shopper)
        return Outcome((bodies.BotAnswer(text=say.CASE_WITHDRAWN),))

    async def _evidence(
        self, conn: Connection, actor: Actor, shop: UUID, form: bodies.Form, values: dict[str, str]
    ) -> dict[str, Evidence]:
        """The uploads that stand in picture and video fields. Raises ``form.incomplete`` for one that is not his."""
        found: dict[str, Evidence] = {}
        for field in form.fields:
            given = values.get(field.id, "")
            if field.type not in ("image", "video") or not given:
                continue
            up = await record.own_upload(conn, shop, actor.id, given, field.type)
            if up is None:
                raise Refusal("form.incomplete", say.FILL_IN, field=field.id, status=422)
            media = UUID(given)
            found[field.id] = (
                bodies.Image(media=media, width=up.width, height=up.height)
                if field.type == "image"
                else bodies.Video(media=media, width=up.width, height=up.height, duration_ms=up.duration_ms)
            )
        return found

    async def _show(
        self, conn: Connection, standing: Standing, client_msg_id: UUID, evidence: Mapping[str, Evidence]
    ) -> None:
        """Uploads of a form stand below it as lines of their own, seen by whoever sees the thread's pictures."""
        for field, upload in evidence.items():
            line = await voice.shopper_line(conn, standing, standing.shopper, uuid5(client_msg_id, field), upload)
            if line is not None and line.seq is not None:
                # logged, so that the bot does not take it for a picture out of the blue
                turn = TurnRow(
                    standing.shop, standing.thread, line.seq, line.conversation, "card", said=f"[{upload.kind}]"
                )
                await record.log_turn(conn, turn)


async def _send_out(conn: Connection, standing: Standing, seq: int, what: str, ref: str, *, guest: bool) -> None:
    """Hands a tap to the worker that asks the shop's own server."""
    asked = ErrandAsked.model_validate(
        {
            "shop": standing.shop, "thread": standing.thread, "shopper": standing.shopper, "seq": seq, "what": what,
            "ref": ref, "guest": guest, "at_ms": now_ms(),
        }
    )  # fmt: skip
    await outbox.write(conn, [asked])


def _after_form(form: str, menu: Menu | None) -> Outcome:
    item = menu.find(form) if menu else None
    if item is None or not isinstance(item.action, Form):
        return Outcome((bodies.BotAnswer(text=say.FORM_THANKS),))
    if item.action.then == "human":
        text = item.action.thanks or say.FORM_TO_PERSON
        return Outcome((bodies.BotAnswer(text=text),), human=True, topic=item.action.topic)
    return Outcome((bodies.BotAnswer(text=item.action.thanks or say.FORM_THANKS),))


def _topic_of_returns(menu: Menu | None) -> str:
    """What the merchant's own item says returns are about."""
    for _, item in everything(menu) if menu else ():
        if isinstance(item.action, ReturnExchange) and item.action.topic not in ("", "aftersale"):
            return item.action.topic
    return say.AFTERSALE


async def _label(conn: Connection, shop: UUID, frame: ChoiceSubmit) -> str:
    entry = await entries.read_one(conn, shop, frame.thread, "public", frame.seq)
    if entry is not None and entry.kind in ("choices", "suggestions", "bot_answer") and entry.recalled_at_ms is None:
        for choice in json.loads(entry.body).get("choices", ()):
            if choice["id"] == frame.choice:
                return str(choice["label"])
    raise not_found("choice")


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise not_found("choice") from None
