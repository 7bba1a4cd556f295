/** The desk's state: what the hub said, what this page wants to say, and nothing about how it looks. */
import { computed, reactive, ref } from 'vue'

import type {
  AnyAnswer, AnyBody, AnyFrame, EntryView, OfferAnswer, SeatNowAnswer, SlaTierAnswer, ThreadView, WelcomeAnswer, WireLimits,
} from '../../shared/protocol'
import { asking, Refused } from './ask'
import { uuid } from './ids'
import * as keep from './keep'
import { add, answers, asks, emptyLog, recall, startAgain, trim, unread, type Lane, type Log } from './log'
import { whatBecomes, type Outgoing } from './outgoing'
import { reading, type ReadBack } from './reading'

export interface Talk {
  view: ThreadView
  log: Log
  typing: boolean
  typing_until: number
  presence: 'here' | 'away' | 'unknown'
  limit_ms: number
  pinned: boolean
  /** The thread is no longer ours; it stays on the page until it is left. */
  gone: boolean
  asking: boolean
  /** The tier of the slow-response guard that this turn has reached; 0: none. */
  tier: number
}

export const REPLY_MS_DEFAULT = 30_000

const fresh = (view: ThreadView, limit_ms = REPLY_MS_DEFAULT): Talk => ({
  view, log: emptyLog(), typing: false, typing_until: 0, presence: 'unknown', pinned: false, gone: false, asking: false, tier: 0, limit_ms,
})

/** `kept`: threads of others that stay beside one's own while they are not open (a supervisor watches them). */
export function createDesk(send: (frame: AnyFrame) => boolean, newId: () => string = uuid, readBack?: ReadBack, kept: (thread: string) => boolean = () => false) {
  const talks = reactive(new Map<string, Talk>())
  const outgoing = reactive<Outgoing[]>([])
  const offers = reactive<OfferAnswer[]>([])
  const opened = ref<string | null>(null)
  const live = ref(false)
  const me = ref<WelcomeAnswer['you'] | null>(null)
  const node = ref('')
  const limits = ref<WireLimits | null>(null)
  const seat = ref<Omit<SeatNowAnswer, 'type'>>({ state: 'offline', reason: '', load: 0, seats_max: 0, since_ms: 0 })
  /** Server's clock minus ours. */
  const offset_ms = ref(0)
  const replyMs = reactive(new Map<string, number>())
  const arrived: ((talk: Talk, what: 'message' | 'assigned' | 'offer' | 'late') => void)[] = []
  /** Hear of wishes that were taken down and then refused, with the conversation they were about where it is known. */
  const refused: ((why: Refused, talk: Talk | undefined) => void)[] = []
  /** Hear of words that could not be said any more because the conversation is no longer ours: they are the writer's. */
  const handedBack: ((thread: string, text: string, talk: Talk | undefined) => void)[] = []
  /** Hear of slow answers: to be given now, or (as a supervisor) to be looked at. */
  const guarded: ((answer: SlaTierAnswer, talk: Talk | undefined) => void)[] = []
  const { ask, settle, askedAs, dropAll } = asking(send)
  const { load, older, catchUp } = reading(ask, (id) => void giveUp(id), readBack)
  let pingAt = 0
  let outboxKey = ''

  const now = (): number => Date.now() + offset_ms.value
  const talk = (thread: string): Talk | undefined => talks.get(thread)
  const open = computed(() => (opened.value ? talks.get(opened.value) : undefined))
  const mine = computed(() => [...talks.values()].filter((one) => one.view.mine && !one.gone))
  const unreadOf = (one: Talk): number => (one.view.mine ? unread(one.log, one.view.my_read_seq) : 0)
  const unreadAll = computed(() => mine.value.reduce((sum, one) => sum + unreadOf(one), 0))
  const pendingOf = (thread: string): Outgoing[] => outgoing.filter((one) => one.thread === thread)

  // --- saying ---------------------------------------------------------------------------------------------------

  function say(thread: string, body: AnyBody, options: Partial<Pick<Outgoing, 'assisted' | 'typed'>> = {}): void {
    const one = talk(thread)
    if (!one) return
    queue({ thread, body, epoch: one.view.epoch, note: false, assisted: options.assisted ?? false, typed: options.typed })
  }

  function note(thread: string, text: string): void {
    queue({ thread, body: { kind: 'note', text }, epoch: 0, note: true, assisted: false })
  }

  function queue(what: Pick<Outgoing, 'thread' | 'body' | 'epoch' | 'note' | 'assisted' | 'typed'>): void {
    outgoing.push({ ...what, client_msg_id: newId(), at_ms: now(), failed: '' })
    saveOutbox()
    if (live.value) transmit(outgoing[outgoing.length - 1]!)
  }

  function transmit(one: Outgoing): void {
    const { thread, client_msg_id } = one
    if (one.note) send({ type: 'note.add', thread, client_msg_id, text: (one.body as { text: string }).text } as AnyFrame)
    else {
      send({
        type: 'message.send', thread, client_msg_id, body: one.body, epoch: one.epoch, assisted: one.assisted, ...one.typed,
      } as AnyFrame)
    }
  }

  function again(id: string): void {
    const one = outgoing.find((other) => other.client_msg_id === id)
    if (!one) return
    one.failed = ''
    one.epoch = talk(one.thread)?.view.epoch ?? one.epoch
    saveOutbox()
    if (live.value) transmit(one)
  }

  function giveUp(id: string): Outgoing | undefined {
    const at = outgoing.findIndex((other) => other.client_msg_id === id)
    if (at < 0) return undefined
    const [one] = outgoing.splice(at, 1)
    saveOutbox()
    return one
  }

  function saveOutbox(): void {
    if (!outboxKey) return
    if (outgoing.length) keep.write(outboxKey, outgoing)
    else keep.forget(outboxKey)
  }

  // --- hearing --------------------------------------------------------------------------------------------------

  /** What a `hello` must name so that exactly what was missed comes. */
  function resume(): { thread: string; lane: Lane; after: number }[] {
    const points: { thread: string; lane: Lane; after: number }[] = []
    for (const [thread, one] of talks) {
      if (one.gone || !one.log.loaded) continue
      for (const lane of ['public', 'internal'] as const) {
        if (one.log.held[lane] > 0) points.push({ thread, lane, after: one.log.held[lane] })
      }
    }
    return points
  }

  function down(): void {
    live.value = false
    dropAll()
    for (const one of talks.values()) {
      one.typing = false
      one.presence = 'unknown'
      one.asking = false
    }
  }

  function hear(answer: AnyAnswer): void {
    switch (answer.type) {
      case 'welcome': return welcome(answer)
      case 'live': return goLive()
      case 'ack': return acked(answer)
      case 'ok': return void settle(answer.ref, answer)
      case 'error': return wrong(answer)
      case 'message.new': return line(answer.entry)
      case 'message.recalled': {
        const one = talk(answer.thread)
        if (one) recall(one.log, answer.seq)
        return
      }
      case 'receipt': {
        const one = talk(answer.thread)
        if (!one) return
        if (answer.by === 'shopper') {
          one.view.their_delivered_seq = Math.max(one.view.their_delivered_seq, answer.delivered_seq)
          one.view.their_read_seq = Math.max(one.view.their_read_seq, answer.read_seq)
        } else if (one.view.mine) one.view.my_read_seq = Math.max(one.view.my_read_seq, answer.read_seq)
        return
      }
      case 'typing': {
        const one = talk(answer.thread)
        if (one && answer.by === 'shopper') {
          one.typing = answer.on
          one.typing_until = Date.now() + 6_000
        }
        return
      }
      case 'thread.update': return updated(answer.view)
      case 'thread.gone': return gone(answer.thread)
      case 'offer': {
        if (!offers.some((one) => one.conversation === answer.conversation)) offers.push(answer)
        tell(talk(answer.thread), 'offer')
        return
      }
      case 'offer.revoked': return dropOffer(answer.conversation)
      case 'sla.warn':
      case 'sla.breach': {
        const one = talk(answer.thread)
        if (!one) return
        one.limit_ms = Math.min(one.limit_ms, answer.limit_ms)
        if (answer.type === 'sla.breach') tell(one, 'late')
        return
      }
      case 'sla.tier': {
        const one = talk(answer.thread)
        if (one?.view.mine && answer.to === 'agent') one.tier = answer.tier
        for (const hear of guarded) hear(answer, one)
        return
      }
      case 'presence': {
        const one = talk(answer.thread)
        if (one && answer.who === 'shopper') one.presence = answer.state
        return
      }
      case 'seat': {
        const before = seat.value
        seat.value = {
          state: answer.state, reason: answer.reason ?? '', load: answer.load ?? before.load,
          seats_max: answer.seats_max || before.seats_max,
          since_ms: answer.since_ms || (answer.state === before.state && before.since_ms) || now(),
        }
        return
      }
      case 'snapshot': {
        const one = talk(answer.thread)
        if (one) startAgain(one.log, answer.lane, answer.entries)
        return
      }
      case 'history.page': return void settle(answer.ref, answer)
      case 'pong': {
        if (pingAt) offset_ms.value = Math.round(answer.server_ms - (pingAt + Date.now()) / 2)
        pingAt = 0
        return
      }
      default: return
    }
  }

  function welcome(answer: WelcomeAnswer): void {
    me.value = answer.you
    node.value = answer.node
    limits.value = answer.limits
    offset_ms.value = answer.server_ms - Date.now()
    if (answer.seat) seat.value = { ...seat.value, state: answer.seat, since_ms: seat.value.since_ms || answer.server_ms }
    if (!outboxKey) {
      outboxKey = `wx.agent.outbox.${answer.you.id}`
      outgoing.push(...keep.read<Outgoing[]>(outboxKey, []))
    }
    const still = new Set(answer.threads.map((view) => view.thread))
    for (const one of talks.values()) if (one.view.mine && !still.has(one.view.thread)) one.gone = true
    for (const view of answer.threads) updated(view)
  }

  function goLive(): void {
    for (const thread of new Set(outgoing.map((one) => one.thread))) settleOver(thread)
    live.value = true
    for (const one of outgoing) if (!one.failed) transmit(one)
    pingAt = Date.now()
    send({ type: 'ping' } as AnyFrame)
    for (const one of talks.values()) missed(one)
  }

  /** Read on from where the page left off. */
  function missed(one: Talk): void {
    if (!one.log.loaded) return void load(one)
    for (const lane of ['public', 'internal'] as const) if ((one.view[`${lane}_seq`] ?? 0) > one.log.held[lane]) void catchUp(one, lane)
  }

  /** Committed: what waited becomes the line it is, whether the hub's own copy came before or comes after. */
  function acked(answer: Extract<AnyAnswer, { type: 'ack' }>): void {
    const one = giveUp(answer.client_msg_id)
    if (!one) return
    line({
      thread: answer.thread, lane: answer.lane ?? 'public', seq: answer.seq, at_ms: answer.at_ms,
      client_msg_id: answer.client_msg_id, body: one.body,
      sender: { kind: 'agent', name: me.value?.name ?? '', id: me.value?.id ?? null, me: true },
    })
  }

  function wrong(answer: Extract<AnyAnswer, { type: 'error' }>): void {
    const why = new Refused(answer.code, answer.detail ?? '', answer.retry ?? 'never')
    if (answer.ref && settle(answer.ref, undefined, why)) return
    const one = answer.client_msg_id && outgoing.find((other) => other.client_msg_id === answer.client_msg_id)
    if (!one) {
      const about = (askedAs(answer.ref ?? '') as { thread?: string } | undefined)?.thread
      for (const hear of refused) hear(why, about ? talk(about) : undefined)
      return
    }
    if (typeof answer.retry === 'number') {
      window.setTimeout(() => live.value && outgoing.includes(one) && transmit(one), Math.max(200, answer.retry))
    } else {
      one.failed = answer.code
      saveOutbox()
      settleOver(one.thread)
    }
  }

  /** Words whose assignment is over are said under the newer one, or given back to who wrote them. */
  function settleOver(thread: string): void {
    const at = talk(thread)
    for (const one of pendingOf(thread)) {
      const next = whatBecomes(one, at?.view.mine && !at.gone ? at.view : undefined)
      if (next === 'anew') again(one.client_msg_id)
      if (next !== 'back') continue
      giveUp(one.client_msg_id)
      for (const hear of handedBack) hear(thread, (one.body as { text: string }).text, at)
    }
  }

  function line(entry: EntryView): void {
    const one = talk(entry.thread)
    if (!one) return
    const added = add(one.log, entry)
    if (entry.client_msg_id) giveUp(entry.client_msg_id)
    if (added === 'gap') void catchUp(one, entry.lane)
    if (added === 'known') return
    if (entry.lane === 'public') {
      one.view.public_seq = Math.max(one.view.public_seq, entry.seq)
      one.view.last_at_ms = Math.max(one.view.last_at_ms, entry.at_ms)
      if (asks(entry)) {
        one.view.awaiting_since_ms ??= entry.at_ms
        one.typing = false
        tell(one, 'message')
      }
      if (answers(entry)) Object.assign(one.view, { awaiting_since_ms: null }), (one.tier = 0)
      if (entry.body?.kind === 'event' && entry.body.event === 'message.recalled' && entry.body.seq != null) {
        recall(one.log, entry.body.seq)
      }
    } else one.view.internal_seq = Math.max(one.view.internal_seq, entry.seq)
  }

  function updated(view: ThreadView): void {
    const one = talks.get(view.thread)
    if (!one) {
      talks.set(view.thread, fresh(view, replyMs.get(view.shop)))
      if (live.value) {
        void load(talks.get(view.thread)!)
        if (view.mine) tell(talks.get(view.thread), 'assigned')
      }
      return
    }
    const came = view.mine && (!one.view.mine || one.gone)
    one.view = { ...view, my_read_seq: Math.max(view.my_read_seq, one.view.my_read_seq) }
    one.gone = false
    if (came || view.awaiting_since_ms == null) one.tier = 0
    if (view.mine) for (const offer of offers) if (offer.thread === view.thread) dropOffer(offer.conversation)
    if (came && live.value) tell(one, 'assigned'), missed(one)
    if (live.value) settleOver(view.thread)
  }

  function gone(thread: string): void {
    const one = talks.get(thread)
    if (!one) return
    one.gone = true
    one.view = { ...one.view, mine: false }
    settleOver(thread)
    if (opened.value !== thread) talks.delete(thread)
  }

  function dropOffer(conversation: string): void {
    const at = offers.findIndex((one) => one.conversation === conversation)
    if (at >= 0) offers.splice(at, 1)
  }

  function tell(one: Talk | undefined, what: 'message' | 'assigned' | 'offer' | 'late'): void {
    for (const hear of arrived) hear(one as Talk, what)
  }

  /** A thread that is left: ours keeps its newest lines; one that was only looked at goes, unless it is watched. */
  function letGo(thread: string): void {
    const one = talks.get(thread)
    if (one && (one.gone || (!one.view.mine && !kept(thread)))) talks.delete(thread)
    else if (one) trim(one.log)
  }

  function show(thread: string): void {
    const left = opened.value
    opened.value = thread
    if (left && left !== thread) letGo(left)
    const one = talk(thread)
    if (one && !one.log.loaded) void load(one)
  }

  function leave(): void {
    const left = opened.value
    opened.value = null
    if (left) letGo(left)
  }

  /** All held of the open thread has been seen. */
  function markRead(): void {
    const one = open.value
    if (!one?.view.mine || !live.value) return
    const upTo = one.log.held.public
    if (upTo <= one.view.my_read_seq) return
    one.view.my_read_seq = upTo
    send({ type: 'receipt.read', thread: one.view.thread, up_to_seq: upTo } as AnyFrame)
  }

  /** Put an ended thread beside the others, to be read. */
  function lookAt(view: ThreadView): void {
    if (!talks.has(view.thread)) talks.set(view.thread, fresh(view))
    show(view.thread)
  }

  return {
    talks, mine, open, opened, outgoing, offers, live, me, node, limits, seat, offset_ms, replyMs, arrived, refused, handedBack, guarded, unreadAll,
    now, talk, ask, say, note, again, giveUp, hear, down, resume, show, leave, markRead, older, load, lookAt, dropOffer,
    unreadOf, pendingOf, send,
  }
}

export type Desk = ReturnType<typeof createDesk>
