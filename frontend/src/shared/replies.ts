/** Canned replies, as every console knows them. */

/** One's own, a shop's (`shop`) or a pool's (`pool`). */
export interface CannedReply {
  id: string
  /** null: a pool's */
  shop: string | null
  /** null: a shop's or one's own */
  pool: string | null
  /** in which it is of use */
  shops: string[]
  own: boolean
  code: string
  title: string
  body: string
  topic: string
  initials: string
  /** goes out before the words */
  media?: ReplyMedia | null
}

export interface ReplyMedia {
  media: string
  kind: 'image' | 'video'
  width: number
  height: number
  duration_ms: number | null
}

export interface ReplyPool {
  id: string
  name: string
  /** may write its replies */
  leads: boolean
  shops: string[]
}

export interface ReplyBook {
  replies: CannedReply[]
  pools: ReplyPool[]
  /** may write what a whole shop uses */
  writes_for_all: boolean
}

export const EMPTY_BOOK: ReplyBook = { replies: [], pools: [], writes_for_all: false }

/** What a form holds. */
export interface ReplyDraft {
  code: string
  title: string
  topic: string
  body: string
}

export const foldersOf = (replies: readonly CannedReply[]): string[] =>
  [...new Set(replies.map((one) => one.topic).filter(Boolean))].sort()
