/** Canned replies: finding one by code, by first letters of pinyin, or by words; filling its variables. */

import type { CannedReply, ReplyMedia } from '@/shared/replies'

/** What is typed after `/` finds replies; a code that starts so comes first, then initials, then titles, then texts. */
export function findReplies(replies: readonly CannedReply[], typed: string, most = 8): CannedReply[] {
  const words = typed.trim().toLowerCase()
  const scored: { reply: CannedReply; score: number; place: number }[] = []
  replies.forEach((reply, place) => {
    const score = scoreOf(reply, words)
    if (score >= 0) scored.push({ reply, score, place })
  })
  scored.sort((a, b) => a.score - b.score || a.place - b.place)
  return scored.slice(0, most).map((found) => found.reply)
}

function scoreOf(reply: CannedReply, words: string): number {
  if (words === '' || reply.code === words) return 0
  if (reply.code.startsWith(words)) return 1
  if (reply.initials.startsWith(words)) return 2
  const title = reply.title.toLowerCase()
  if (title.startsWith(words)) return 3
  if (title.includes(words) || reply.initials.includes(words)) return 4
  return reply.body.toLowerCase().includes(words) || reply.topic.toLowerCase().includes(words) ? 5 : -1
}

/** What goes out with the words, each once. */
export const withMedia = (media: ReplyMedia[], one?: ReplyMedia | null): ReplyMedia[] =>
  one && !media.some((held) => held.media === one.media) ? [...media, one] : media

const VARIABLE = /\{([^{}\n]{1,20})\}/g

/** Fill what is known; what is not stays as it stands, to be seen and to hold the message back. */
export function fill(text: string, known: Readonly<Record<string, string>>): string {
  return text.replace(VARIABLE, (whole, name: string) => known[name] || whole)
}

/** Names of variables still in the text. Only `names` count, so that braces a person types do no harm. */
export function missing(text: string, names: readonly string[]): string[] {
  const found = new Set<string>()
  for (const match of text.matchAll(VARIABLE)) if (names.includes(match[1]!)) found.add(match[1]!)
  return [...found]
}

/** What stands after a `/` that opens the list: the slash begins the text or follows white space. null: no slash. */
export function slashed(text: string, caret: number): { from: number; typed: string } | null {
  const match = /(^|\s)\/([^\s/]{0,20})$/.exec(text.slice(0, caret))
  return match ? { from: caret - match[2]!.length - 1, typed: match[2]! } : null
}
