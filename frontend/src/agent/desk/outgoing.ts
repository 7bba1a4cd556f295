/** What this page wants to say and the hub has not acknowledged yet: pure, no clock, no sockets. */
import type { AnyBody } from '../../shared/protocol'

export interface Outgoing {
  thread: string
  client_msg_id: string
  body: AnyBody
  epoch: number
  at_ms: number
  note: boolean
  assisted: boolean
  /** How many of the characters were typed by hand, and how long that took. */
  typed?: { typed_chars: number; typed_ms: number } | null
  /** '' while it is on its way. */
  failed: string
}

/** What words are refused with that were said under an assignment which is over. */
const OVER: readonly string[] = ['message.stale_epoch', 'thread.not_found']

/**
 * What becomes of words whose assignment is over. Still ours under a newer epoch: they are said under that (`anew`).
 * Ours, and nothing newer is known: they wait, the hub tells next. No longer ours: text goes `back` to who wrote it;
 * notes and pictures stay where they are, to be tried again by hand.
 */
export function whatBecomes(one: Outgoing, ours: { epoch: number } | undefined): 'anew' | 'back' | 'stay' {
  if (one.note || !OVER.includes(one.failed)) return 'stay'
  if (ours) return ours.epoch > one.epoch ? 'anew' : 'stay'
  return one.body.kind === 'text' ? 'back' : 'stay'
}
