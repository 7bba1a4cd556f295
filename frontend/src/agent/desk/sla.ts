/** How long a shopper has waited for an answer, against what the contract allows. */

export type Tone = 'ok' | 'warn' | 'bad'

export interface Sla {
  waited_ms: number
  limit_ms: number
  left_ms: number
  /** 1 = the whole limit is used. */
  share: number
  tone: Tone
}

/** Green up to 60 % of the limit, amber to 100 %, then red. null: nobody waits. */
export function slaOf(awaitingSinceMs: number | null | undefined, limitMs: number, nowMs: number): Sla | null {
  if (awaitingSinceMs == null || limitMs <= 0) return null
  const waited = Math.max(0, nowMs - awaitingSinceMs)
  const share = waited / limitMs
  return {
    waited_ms: waited,
    limit_ms: limitMs,
    left_ms: Math.max(0, limitMs - waited),
    share,
    tone: share <= 0.6 ? 'ok' : share <= 1 ? 'warn' : 'bad',
  }
}

export interface Rank {
  id: string
  pinned: boolean
  share: number
  last_at_ms: number
}

/** Pinned first, then by the share of the limit used, then the newest. */
export function rank(rows: readonly Rank[]): string[] {
  return [...rows]
    .sort(
      (a, b) =>
        Number(b.pinned) - Number(a.pinned) || b.share - a.share || b.last_at_ms - a.last_at_ms || (a.id < b.id ? -1 : 1),
    )
    .map((row) => row.id)
}

/** Keep rows where they are while a hand is over them: what left goes, what came stands at the end. */
export function freeze(shown: readonly string[], now: readonly string[]): string[] {
  const there = new Set(now)
  const kept = shown.filter((id) => there.has(id))
  const known = new Set(kept)
  return [...kept, ...now.filter((id) => !known.has(id))]
}
