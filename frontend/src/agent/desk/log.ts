/** The lines of one thread as this page holds them: pure, no clock, no sockets. */
import type { AnyBody, EntryView } from '../../shared/protocol'

export type Lane = EntryView['lane']

export interface Log {
  lines: EntryView[]
  /** Highest seq up to which nothing is missing, by lane; 0: nothing is held. */
  held: Record<Lane, number>
  /** Whether older public lines may be asked for. */
  more: boolean
  /** The newest page has been asked for and has come. */
  loaded: boolean
}

export function emptyLog(): Log {
  return { lines: [], held: { public: 0, internal: 0 }, more: true, loaded: false }
}

/** Lines of a thread nobody looks at that are kept; what is older is read again when it is looked for. */
export const KEPT_LINES = 200

/** Let go of old lines. `held` stays: nothing newer is missing. */
export function trim(log: Log, most = KEPT_LINES): void {
  if (log.lines.length <= most) return
  log.lines.splice(0, log.lines.length - most)
  log.more = true
}

const before = (a: EntryView, b: EntryView): number =>
  a.at_ms - b.at_ms || (a.lane === b.lane ? a.seq - b.seq : a.lane === 'public' ? -1 : 1)

export type Added = 'new' | 'known' | 'gap'

/** Put one live line into the log. `gap`: lines before it are missing, ask for what lies after `held`. */
export function add(log: Log, line: EntryView): Added {
  const held = log.held[line.lane]
  const at = log.lines.findIndex((other) => other.lane === line.lane && other.seq === line.seq)
  if (at >= 0) {
    log.lines[at] = line
    return 'known'
  }
  insert(log, line)
  if (line.seq === held + 1 || held === 0) {
    log.held[line.lane] = line.seq
    settle(log, line.lane)
    return 'new'
  }
  return line.seq > held ? 'gap' : 'new'
}

function insert(log: Log, line: EntryView): void {
  let at = log.lines.length
  while (at > 0 && before(log.lines[at - 1]!, line) > 0) at -= 1
  log.lines.splice(at, 0, line)
}

/** Move `held` over lines that came early. */
function settle(log: Log, lane: Lane): void {
  const seqs = new Set(log.lines.filter((line) => line.lane === lane).map((line) => line.seq))
  while (seqs.has(log.held[lane] + 1)) log.held[lane] += 1
}

/** Put a page of history into the log. A page is without gaps within itself. */
export function addPage(log: Log, lane: Lane, page: readonly EntryView[]): void {
  const known = new Set(log.lines.filter((line) => line.lane === lane).map((line) => line.seq))
  for (const line of page) if (!known.has(line.seq)) insert(log, line)
  const last = page[page.length - 1]
  const first = page[0]
  if (!last || !first) return
  if (log.held[lane] === 0 || first.seq <= log.held[lane] + 1) log.held[lane] = Math.max(log.held[lane], last.seq)
  settle(log, lane)
}

/** Forget a lane and start from its newest page. */
export function startAgain(log: Log, lane: Lane, page: readonly EntryView[]): void {
  log.lines = log.lines.filter((line) => line.lane !== lane)
  log.held[lane] = 0
  addPage(log, lane, page)
  if (lane === 'public') log.more = (page[0]?.seq ?? 1) > 1
}

/** The words of a line are taken back: it keeps its number. */
export function recall(log: Log, seq: number): void {
  const line = log.lines.find((other) => other.lane === 'public' && other.seq === seq)
  if (line) line.body = null
}

export function oldestSeq(log: Log): number | null {
  return log.lines.find((line) => line.lane === 'public')?.seq ?? null
}

/** How many lines of the shopper lie above what has been read. */
export function unread(log: Log, readSeq: number): number {
  let count = 0
  for (const line of log.lines) {
    if (line.lane === 'public' && line.seq > readSeq && line.sender.kind === 'shopper' && !quiet(line.body)) count += 1
  }
  return count
}

const quiet = (body: AnyBody | null | undefined): boolean => body?.kind === 'event' || body?.kind === 'rating'

/** Whether a line is a person's words to the shopper: what stops the clock of the answer. */
export function answers(line: EntryView): boolean {
  return line.lane === 'public' && line.sender.kind === 'agent' && !quiet(line.body)
}

export function asks(line: EntryView): boolean {
  return line.lane === 'public' && line.sender.kind === 'shopper' && !quiet(line.body)
}
