/** Reading a thread's lines: the newest page, older ones, and what was missed. */
import type { AnyAnswer, AnyFrame, EntryView } from '../../shared/protocol'
import type { Refused } from './ask'
import { addPage, type Lane } from './log'
import type { Talk } from './store'

/** Reads a page of a thread that no socket holds any more. */
export type ReadBack = (thread: string, lane: Lane, before: number | undefined) => Promise<{ entries: EntryView[]; more: boolean }>

const PAGE = 50

/** `known` hears the ids of lines that came back, so that nothing said here is shown twice. */
export function reading(ask: (frame: AnyFrame) => Promise<AnyAnswer>, known: (id: string) => void, readBack?: ReadBack) {
  async function page(one: Talk, lane: Lane, more: { before?: number; after?: number }): Promise<EntryView[]> {
    const frame = { type: 'history', thread: one.view.thread, lane, limit: PAGE, ...more } as unknown as AnyFrame
    let found: { entries: EntryView[]; more: boolean }
    try {
      const answer = await ask(frame)
      found = answer.type === 'history.page' ? answer : { entries: [], more: false }
    } catch (why) {
      if (!readBack || (why as Refused).code !== 'thread.not_found') throw why
      found = await readBack(one.view.thread, lane, more.before)
    }
    if (lane === 'public' && more.after === undefined) one.log.more = found.more
    return found.entries
  }

  /** The newest page of both lanes. */
  async function load(one: Talk): Promise<void> {
    if (one.asking) return
    one.asking = true
    try {
      addPage(one.log, 'public', await page(one, 'public', {}))
      addPage(one.log, 'internal', await page(one, 'internal', {}))
      one.log.loaded = true
    } catch {
      /* asked again when the line is back, or when it is opened */
    } finally {
      one.asking = false
    }
  }

  async function older(one: Talk): Promise<void> {
    const first = one.log.lines.find((entry) => entry.lane === 'public')
    if (one.asking || !one.log.more || !first || first.seq <= 1) return
    one.asking = true
    try {
      addPage(one.log, 'public', await page(one, 'public', { before: first.seq }))
    } catch {
      /* the next scroll asks again */
    } finally {
      one.asking = false
    }
  }

  async function catchUp(one: Talk, lane: Lane): Promise<void> {
    try {
      for (;;) {
        const after = one.log.held[lane]
        const lines = await page(one, lane, { after })
        for (const entry of lines) if (entry.client_msg_id) known(entry.client_msg_id)
        addPage(one.log, lane, lines)
        if (lines.length < PAGE || one.log.held[lane] === after) return
      }
    } catch {
      /* resume asks again */
    }
  }

  return { load, older, catchUp }
}
