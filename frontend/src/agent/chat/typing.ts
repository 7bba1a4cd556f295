/**
 * How fast somebody types: characters of his own and the time they took, per conversation. Two numbers leave the page,
 * never the words. Pasted text and canned replies are not counted, and neither is thinking: a pause longer than
 * PAUSE_MS counts as one of that length.
 */
const PAUSE_MS = 4_000

interface Sum {
  chars: number
  ms: number
  lastMs: number
}
const sums = new Map<string, Sum>()

/** What of an input event was typed by hand; a composition counts when it ends. */
export function typedBy(event: Pick<InputEvent, 'inputType' | 'data' | 'isComposing'>): number {
  return event.inputType === 'insertText' && !event.isComposing ? [...(event.data ?? '')].length : 0
}

/** A key had an effect at `nowMs`; `chars` were added by it. */
export function typedAt(thread: string, chars: number, nowMs: number): void {
  const sum = sums.get(thread) ?? { chars: 0, ms: 0, lastMs: 0 }
  sum.ms += sum.lastMs ? Math.min(PAUSE_MS, Math.max(0, nowMs - sum.lastMs)) : 0
  sum.lastMs = nowMs
  sum.chars += chars
  sums.set(thread, sum)
}

/** The two numbers of a message of `length` characters, and the count begins anew; null: nothing was typed. */
export function takeTyped(thread: string, length: number): { typed_chars: number; typed_ms: number } | null {
  const sum = sums.get(thread)
  sums.delete(thread)
  if (!sum || sum.chars <= 0 || sum.ms === 0) return null
  return { typed_chars: Math.min(sum.chars, length), typed_ms: Math.round(sum.ms) }
}
